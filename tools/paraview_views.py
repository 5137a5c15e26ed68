"""Open a result folder of femli in ParaView with sensible views, and save pictures of them.

    xvfb-run -a pvbatch tools/paraview_views.py RESULT_FOLDER

saves pictures and needs no screen. To look at them, `export FEMLI_RESULT=RESULT_FOLDER`, then

    paraview --script=tools/paraview_views.py

Needs ParaView 5.11 or newer with its own Python (Debian: paraview python3-paraview xvfb xauth); nothing of
femli. Writes paraview_composition.png, _pressure.png, _stress.png and _velocity.png into the
folder; curves against depth where the result is one-dimensional.
"""

import math
import os
import sys

from paraview import simple as pv

SIZE, WIDE = [1600, 1200], [1600, 700]  # pixels; the second for the flat zone at the contact
BLACK = [0.0, 0.0, 0.0]
# array, name in pictures, unit shown, factor from SI, colour map of ParaView, logarithmic
FIELDS = {
    "composition": ("li_fraction [-]", "Li fraction", "", 1.0, "Viridis (matplotlib)", False),
    "pressure": ("pressure [Pa]", "pressure", "MPa", 1e-6, "Cividis", False),
    "stress": ("equivalent_stress [Pa]", "equivalent stress", "MPa", 1e-6, "Inferno (matplotlib)", True),
    "velocity": ("velocity [m/s]", "speed", "nm/s", 1e9, "Cividis", False),
}


def opened(folder):
    """The time series of a folder at its last time; ends with a sentence where there is none."""
    index = os.path.join(folder, "fields.pvd")
    if not os.path.isfile(index):
        sys.exit(f"{index}: no such file; give a result folder of `femli run`")
    reader = pv.PVDReader(registrationName=os.path.basename(os.path.abspath(folder)), FileName=index)
    times = list(reader.TimestepValues) if len(reader.TimestepValues) else [0.0]
    scene = pv.GetAnimationScene()
    scene.UpdateAnimationUsingDataTimeSteps()
    scene.AnimationTime = times[-1]
    reader.UpdatePipeline(times[-1])
    if reader.GetDataInformation().GetNumberOfCells() == 0:
        sys.exit(f"{index}: holds no cells; it may be damaged")
    return reader, times[-1]


def shown_units(reader, time):
    """Each field once more in the unit that pictures show; names with brackets need quotes in formulas."""
    source = reader
    present = reader.PointData.keys()
    for array, name, unit, factor, _, _ in FIELDS.values():
        if array not in present:
            continue
        magnitude = reader.PointData[array].GetNumberOfComponents() > 1
        source = pv.Calculator(registrationName=name, Input=source)
        source.ResultArrayName = label(name, unit)
        source.Function = f'mag("{array}") * {factor!r}' if magnitude else f'"{array}" * {factor!r}'
    source.UpdatePipeline(time)
    return source


def label(name, unit):
    """Name of a shown array."""
    return f"{name} ({unit})" if unit else name


def dimension(source):
    """1, 2 or 3, by the extent of the points."""
    low_high = source.GetDataInformation().GetBounds()
    return sum(low_high[2 * axis + 1] - low_high[2 * axis] > 0.0 for axis in range(3))


def cut(source, dim):
    """The front half cut away in three dimensions, so that the inside shows."""
    if dim < 3:
        return source
    low_high = source.GetDataInformation().GetBounds()
    clip = pv.Clip(registrationName="cut", Input=source, ClipType="Plane", Invert=0)
    clip.ClipType.Origin = [0.0, 0.5 * (low_high[2] + low_high[3]), 0.0]
    clip.ClipType.Normal = [0.0, 1.0, 0.0]
    clip.UpdatePipeline()
    return clip


def lowest(source):
    """The zone at the contact of a plane result: the lowest part, three tenths of the width high."""
    x0, x1, y0, y1, _, _ = source.GetDataInformation().GetBounds()
    clip = pv.Clip(registrationName="zone at the contact", Input=source, ClipType="Plane", Invert=1)
    clip.ClipType.Origin = [x0, min(y0 + 0.3 * (x1 - x0), y1), 0.0]
    clip.ClipType.Normal = [0.0, 1.0, 0.0]
    clip.UpdatePipeline()
    return clip


def curve(source, field):
    """A field against depth, for a one-dimensional result."""
    _, name, unit, _, _, logarithmic = FIELDS[field]
    shown = label(name, unit)
    view = pv.CreateView("XYChartView")
    view.ViewSize = SIZE
    data = pv.PlotData(registrationName=f"{name} against depth", Input=source)
    display = pv.Show(data, view, "XYChartRepresentation")
    display.UseIndexForXAxis, display.XArrayName = 0, "Points_X"
    display.SeriesVisibility = [shown]
    display.SeriesColor = [shown, "0", "0.45", "0.7"]
    display.SeriesLineThickness = [shown, "4"]
    view.BottomAxisTitle, view.LeftAxisTitle, view.ShowLegend = "depth (um)", shown, 0
    for axis in ("Bottom", "Left"):
        setattr(view, f"{axis}AxisTitleFontSize", 30)
        setattr(view, f"{axis}AxisLabelFontSize", 26)
    view.LeftAxisLogScale = int(logarithmic)
    return view


def axes_of(view, dim):
    """A grid with coordinates in um around the data, black on white."""
    view.UseColorPaletteForBackground = 0
    view.BackgroundColorMode = "Single Color"
    view.Background = [1.0, 1.0, 1.0]
    view.OrientationAxesVisibility = int(dim == 3)
    grid = view.AxesGrid
    grid.Visibility = 1
    titles = {1: ("depth (um)", "", ""), 2: ("x (um)", "height (um)", ""), 3: ("x (um)", "y (um)", "z (um)")}[dim]
    grid.XTitle, grid.YTitle, grid.ZTitle = titles
    for axis in "XYZ":
        setattr(grid, f"{axis}TitleColor", BLACK)
        setattr(grid, f"{axis}LabelColor", BLACK)
        setattr(grid, f"{axis}TitleFontSize", 28)
        setattr(grid, f"{axis}LabelFontSize", 24)
    grid.GridColor = BLACK
    if dim == 2:
        grid.AxesToLabel = 3  # below and at the left only


def coloured(source, view, field):
    """Show a source by a field, with colour bar; limits of the whole source at the present time."""
    _, name, unit, _, colours, logarithmic = FIELDS[field]
    shown = label(name, unit)
    display = pv.Show(source, view)
    display.Representation = "Surface"
    display.Ambient, display.Diffuse, display.Specular = 0.4, 0.7, 0.0
    pv.ColorBy(display, ("POINTS", shown))
    table = pv.GetColorTransferFunction(shown)
    low, high = source.PointData[shown].GetRange(0)
    signed = field == "pressure" and low < -0.02 * abs(high)
    if not table.ApplyPreset("Cool to Warm (Extended)" if signed else colours, True):
        table.ApplyPreset("Viridis (matplotlib)", True)
    if signed:
        bound = max(abs(low), abs(high))
        table.RescaleTransferFunction(-bound, bound)
    elif logarithmic and low > 0.0 and high > 10.0 * low:
        table.RescaleTransferFunction(max(low, 1e-4 * high), high)
        table.MapControlPointsToLogSpace()
        table.UseLogScale = 1
    else:
        table.RescaleTransferFunction(low, high if high > low else low + 1e-12 + 0.01 * abs(low))
    bar = pv.GetScalarBar(table, view)
    bar.Title, bar.ComponentTitle = shown, ""
    bar.TitleColor = bar.LabelColor = BLACK
    bar.TitleFontSize, bar.LabelFontSize = 28, 24
    bar.WindowLocation = "Any Location"
    bar.Position, bar.ScalarBarLength = [0.88, 0.25], 0.5
    bar.RangeLabelFormat = bar.LabelFormat = "%.3g"
    bar.Visibility = 1
    return display


def arrows(source, view, dim, window):
    """Velocity arrows, a fiftieth of the window long: in the plane on a regular grid."""
    array = FIELDS["velocity"][0]
    speed = source.PointData[array].GetRange(-1)[1]
    if speed <= 0.0:
        return
    places = source
    if dim == 2:
        x0, x1, y0, y1, _, _ = source.GetDataInformation().GetBounds()
        count = [30, max(int(30 * (y1 - y0) / (x1 - x0)), 3), 1]
        image = pv.ResampleToImage(registrationName="grid of arrows", Input=source, SamplingDimensions=count)
        places = pv.Threshold(registrationName="in the metal", Input=image, Scalars=["POINTS", "vtkValidPointMask"])
        places.LowerThreshold, places.UpperThreshold = 1.0, 1.0
    glyph = pv.Glyph(registrationName="arrows", Input=places, GlyphType="Arrow")
    glyph.OrientationArray = ["POINTS", array]
    glyph.ScaleArray = ["POINTS", array]
    glyph.ScaleFactor = window / 48.0 / speed
    glyph.GlyphMode = "All Points" if dim == 2 else "Uniform Spatial Distribution (Bounds Based)"
    display = pv.Show(glyph, view)
    pv.ColorBy(display, None)
    display.AmbientColor = display.DiffuseColor = BLACK if dim == 3 else [1.0, 1.0, 1.0]
    display.Ambient, display.Diffuse, display.Specular = 1.0, 0.0, 0.0


def outline(source, view, dim):
    """Boundary edges in black: voids, contact, collector."""
    skin = source if dim < 3 else pv.ExtractSurface(registrationName="skin", Input=source)
    edges = pv.FeatureEdges(registrationName="outline", Input=skin if dim == 3 else surface_of(source))
    edges.BoundaryEdges, edges.FeatureEdges = 1, int(dim == 3)
    edges.NonManifoldEdges, edges.ManifoldEdges, edges.FeatureAngle = 0, 0, 60.0
    display = pv.Show(edges, view)
    pv.ColorBy(display, None)
    display.AmbientColor = display.DiffuseColor = BLACK
    display.LineWidth = 2.0


def surface_of(source):
    """Polygons of plane cells, nodes that ranks share merged."""
    merged = pv.CleantoGrid(registrationName="merged", Input=source)
    return pv.ExtractSurface(registrationName="skin", Input=merged)


def look(view, source, dim):
    """Place the camera. Returns the width seen (um)."""
    x0, x1, y0, y1, z0, z1 = source.GetDataInformation().GetBounds()
    centre = [0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * (z0 + z1)]
    ratio = view.ViewSize[0] / view.ViewSize[1]
    view.CameraParallelProjection = 1
    if dim == 3:
        size = math.dist((x0, y0, z0), (x1, y1, z1))
        view.CameraFocalPoint = centre
        view.CameraPosition = [c - 2.0 * size * d for c, d in zip(centre, (0.5, 1.0, 0.42), strict=True)]
        view.CameraViewUp = [0.0, 0.0, 1.0]
        view.CameraParallelScale = 0.55 * size
        return size
    width, height = x1 - x0, y1 - y0
    view.CameraViewUp = [0.0, 1.0, 0.0]
    half = max(0.65 * height, 0.75 * width / ratio)
    view.CameraParallelScale = half
    view.CameraFocalPoint = [centre[0] + 0.08 * half * ratio, centre[1], 0.0]
    view.CameraPosition = [centre[0] + 0.08 * half * ratio, centre[1], 10.0 * half]
    return 2.0 * half * ratio


def views(folder):
    """Make all views; returns them by field."""
    reader, time = opened(folder)
    source = shown_units(reader, time)
    dim = dimension(reader)
    present = [field for field in FIELDS if FIELDS[field][0] in reader.PointData.keys()]  # noqa: SIM118
    if dim == 1:
        return {field: curve(source, field) for field in present}
    whole = cut(source, dim)
    zone = lowest(source) if dim == 2 else whole
    made = {}
    for field in present:
        body = whole if field == "composition" else zone
        view = pv.CreateView("RenderView")
        view.ViewSize = WIDE if dim == 2 and field != "composition" else SIZE
        view.ViewTime = time
        axes_of(view, dim)
        coloured(body, view, field)
        outline(body, view, dim)
        window = look(view, body, dim)
        if field == "velocity":
            arrows(body, view, dim, window)
        note = pv.Show(pv.Text(registrationName=f"moment of {field}", Text=f"t = {time:.4g} s"), view)
        note.Color, note.FontSize, note.WindowLocation = BLACK, 28, "Upper Left Corner"
        made[field] = view
    return made


def main():
    """Command line: a result folder."""
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FEMLI_RESULT", "")
    if not os.path.isdir(folder):
        sys.exit("usage: pvbatch tools/paraview_views.py RESULT_FOLDER")
    for field, view in views(folder).items():
        path = os.path.join(folder, f"paraview_{field}.png")
        pv.SaveScreenshot(path, view, ImageResolution=view.ViewSize)
        print(path)


main()
