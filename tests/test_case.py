"""The case file: units, defaults, faults, overrides, and the resolved case that reads back equal."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from femli import units
from femli.case import Case, load, schema
from femli.errors import CaseError

CASES = sorted((Path(__file__).parent.parent / "cases").glob("**/*.toml"))
MINIMAL = '[geometry]\nelectrode_thickness = "100 um"\n[load]\ncurrent_density = "0.31 mA/cm^2"\n'
VOIDS = MINIMAL.replace("[load]", "[geometry.voids]\ncount = 3\n[load]")


def write(tmp_path: Path, text: str, name: str = "case.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str, overrides: Any = ()) -> list[str]:
    with pytest.raises(CaseError) as caught:
        load(write(tmp_path, text), overrides)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("5 MPa", units.PRESSURE_KIND, 5e6),
        ("30 degC", units.TEMPERATURE_KIND, 303.15),
        ("86 degF", units.TEMPERATURE_KIND, 303.15),
        ("303 K", units.TEMPERATURE_KIND, 303.0),
        ("0.31 mA/cm^2", units.CURRENT_KIND, 3.1),
        ("0.2 mAh/cm^2", units.CAPACITY_KIND, 7200.0),
        ("100 um", units.LENGTH_KIND, 1e-4),
        ("100 \u00b5m", units.LENGTH_KIND, 1e-4),
        ("17 / (100 um)", units.LINE_DENSITY_KIND, 1.7e5),
        ("0.5 pi rad", units.ANGLE_KIND, 90.0),
        ("7.7e-3 / MPa^6.56 / s", units.creep_prefactor_kind(6.56), 7.7e-3 * 1e6**-6.56),
        ("1 h", units.TIME_KIND, 3600.0),
    ],
)
def test_quantities(text: str, kind: units.Kind, number: float) -> None:
    # Exact: definitions of the units; degC is an absolute temperature. What is written reads back the same.
    read, _ = units.parse(text, kind)
    assert read == pytest.approx(number, rel=1e-14)
    assert units.parse(units.show(read, kind), kind)[0] == read


@pytest.mark.parametrize(
    "text",
    [
        5,
        5.0,
        True,
        None,
        [1],
        "5",
        "",
        "MPa",
        "5 MPaa",
        "5 um",
        "nan MPa",
        "inf MPa",
        "1e400 MPa",
        "9**9**9 MPa",
        "(((",
        "5 %",
        "1/0 MPa",
        "__import__('os')",
        "5 MPa; 6 MPa",
        "5 * * MPa",
        "5 MPa" + " " * 200,
        "1^9999 Pa",
    ],
)
def test_no_quantities(text: object) -> None:
    # Exact: each is refused with a ValueError that names what is expected, none hangs or evaluates anything.
    with pytest.raises(ValueError, match=r"a pressure such as"):
        units.parse(text, units.PRESSURE_KIND)


def test_a_minimal_case_has_every_default(tmp_path: Path) -> None:
    # Exact: the defaults that the command's page states.
    case = load(write(tmp_path, MINIMAL))
    assert case.geometry.dimension == 2 and case.geometry.kind == "foil"
    assert case.load.stack_pressure == 5e6 and case.load.temperature == 303.15
    assert (case.stop.li_fraction, case.stop.contact_fraction, case.stop.thickness) == (0.31, 1e-3, 1e-6)
    assert (case.solver.tolerance, case.solver.time_tolerance, case.solver.smallest_step) == (
        1e-8,
        1e-4,
        1e-9,
    )
    assert case.solver.regularisation_stress == 1e4
    assert case.output.every_capacity is None and case.output.every_time is None
    assert case.interface.contact == "free_slip" and case.expect == {}


def test_a_case_is_frozen(tmp_path: Path) -> None:
    # Exact: writing to a case is an error.
    case = load(write(tmp_path, MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        case.load.temperature = 300.0  # type: ignore[misc]


FULL_ALLOY = (
    "electrode.material = { name = 'LiX', li_fraction = 0.9, molar_volume_li = '13 cm^3/mol', "
    "molar_volume_host = '16 cm^3/mol', diffusivity = '1e-10 cm^2/s', creep_exponent = 5.0, "
    "creep_prefactor = '0.01 / MPa^5 / s', li_fraction_limit = 0.5 }"
)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["geometry.electrode_thickness=33.333333333333336 um", "load.temperature=25.1 degC"],
        [
            "load.temperature=301.234567 K",
            "load.stack_pressure=1 atm",
            "load.current_density=-0.1 A/ft^2",
            "stop.time=1.1 days",
        ],
        ["output.every=10 min"],
        ["output.every=0.02 mAh/cm^2"],
        ["stop.li_fraction=0"],
        ["electrode.material={ mg_fraction = 0.07 }"],
        ["electrode.material={ base = 'Li-5Mg', diffusivity = '1e-10 cm^2/s', activity = [1.0, -2] }"],
        [FULL_ALLOY.replace("electrode.material = ", "electrode.material=")],
        ["geometry.dimension=3", "geometry.voids.density=0.001 / um^2"],
        ["geometry.voids.density=17 / (100 um)", "geometry.voids.radius=1 um"],
        ["geometry.voids.contact_angle=93.6 deg", "geometry.voids.count=2"],
        ["geometry.voids.list=[{ x = '10 um', half_width = '1 um', height = '0.3 um' }]"],
    ],
)
def test_the_resolved_case_reads_back_equal(tmp_path: Path, overrides: list[str]) -> None:
    # Exact: load(to_toml()) is the same case, bit for bit, with the same hash; and that text is a fixed
    # point.
    case = load(write(tmp_path, MINIMAL), overrides)
    again = load(write(tmp_path, case.to_toml(), "resolved.toml"))
    assert again == case
    assert again.sha256() == case.sha256()
    assert again.to_toml() == case.to_toml()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_shipped_cases_are_valid_and_say_what_to_expect(tmp_path: Path, path: Path) -> None:
    # Exact: every case of the project loads, reads back equal and has an [expect] table.
    case = load(path)
    assert load(write(tmp_path, case.to_toml())) == case
    assert case.expect and case.title


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "load.stack_presure='5 MPa'",
            'load.stack_presure: "5 MPa": unknown key; did you mean load.stack_pressure?',
        ),
        ("solver.stack_pressure='5 MPa'", "did you mean load.stack_pressure?"),
        ("bogus.x=1", "bogus: {'x': 1}: unknown key; allowed: title, geometry, electrode"),
        ("load.stack_pressure='5 um'", "wrong dimension [length]; allowed: a pressure such as"),
        ("load.stack_pressure=5", "load.stack_pressure: 5: has no unit; allowed: a pressure"),
        ("geometry.electrode_thickness='-5 um'", 'geometry.electrode_thickness: "-5 um": must be positive'),
        ("geometry.width='0 um'", 'geometry.width: "0 um": must be positive'),
        ("load.temperature='200 degC'", "allowed: 200 K to 453 K (solid lithium)"),
        (
            "load.current_density=['1 A/m^2']",
            "is a list of steps; allowed: one current density, or steps as [[protocol]] tables",
        ),
        ("electrode.material='Li-5mg'", 'did you mean "Li-5Mg"?'),
        (
            "electrode.material={ mg_fraction = 0.7 }",
            "electrode.material.mg_fraction: 0.7: must be less than 0.69",
        ),
        ("electrode.material={ mg_fraction = -0.1 }", "must be at least 0"),
        ("electrode.material={ mg_fractoin = 0.1 }", "did you mean electrode.material.mg_fraction?"),
        ("electrode.material={ base = 'Lii' }", 'electrode.material.base: "Lii": is not in the library'),
        ("electrode.material={ base = 'Li', mg_fraction = 0.1 }", "has both base and mg_fraction"),
        ("electrode.material={ name = 'X' }", "lacks li_fraction, molar_volume_li"),
        (
            "electrode.material={ base = 'Li', creep_exponent = 5.0 }",
            "a prefactor belongs to its own exponent",
        ),
        (
            "electrode.material={ base = 'Li', creep_prefactor = '1 / MPa^5 / s' }",
            'electrode.material.creep_prefactor: "1 / MPa^5 / s": has the wrong dimension',
        ),
        ("electrode.creep='Aspinall'", 'did you mean "Aspinall2024"?'),
        ("electrode.stress_coupling='yes'", "allowed: true, false"),
        ("geometry.dimension=4", "geometry.dimension: 4: is not known; allowed: 1, 2 or 3"),
        ("geometry=3", "geometry: 3: allowed: a table"),
        ("geometry.kind='file'", "kind = 'file' and the key file go together"),
        (
            "geometry.voids.count=3\ngeometry.voids.density='1 / um'",
            "has count and density; allowed: exactly one",
        ),
        ("geometry.voids.seed=3", "has none of count, density, list"),
        ("geometry.voids.count=2\ngeometry.dimension=1", "voids cannot be seeded in 1D"),
        ("geometry.voids.count=2\ngeometry.kind='axisymmetric'", "cannot be drawn"),
        ("geometry.voids.count=2\ngeometry.voids.contact_angle=93.6", "93.6: has no unit; allowed: an angle"),
        ("geometry.voids.density='1 / um^2'", "allowed: a number per length"),
        ("geometry.voids.list=[{ x = 1, half_width = '1 um' }]", "geometry.voids.list[1].x: 1: has no unit"),
        ("load.current_density='0 A/m^2'\nstop.capacity='1 mAh/cm^2'", "never reaches a stop"),
        ("load.current_density='-1 A/m^2'", "plating has no end"),
        (
            "stop.li_fraction=0.97\nelectrode.material='Li-5Mg'",
            "stop.li_fraction: 0.97: the metal starts at 0.95",
        ),
        ("stop.thickness='1 mm'", "no thicker from the start"),
        ("stop.time=nan", "stop.time: nan: has no unit"),
        ("solver.tolerance='1e-8'", "allowed: a number without a unit"),
        ("solver.tolerance=nan", "allowed: a finite number"),
        ("solver.max_iterations=3.5", "solver.max_iterations"),
        ("output.every='5 MPa'", "allowed: an areal capacity such as"),
        ("title=3", "title: 3: allowed: a text in quotes"),
        ("load.temperature.value=3", "does not lead through tables"),
    ],
)
def test_faults_are_sentences(tmp_path: Path, text: str, sentence: str) -> None:
    # Exact: one sentence for the one fault, which names the key, the value and what is allowed.
    changes: dict[str, Any] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        changes[key] = _toml(value)
    base = MINIMAL + '\n[stop]\ncapacity = "1 mAh/cm^2"\n' if "plating" not in sentence else MINIMAL
    if "load.temperature.value" in text:
        base = base.replace("[load]\n", '[load]\ntemperature = "30 degC"\n')
    found = faults(tmp_path, base, changes)
    assert len(found) == 1, found
    assert sentence in found[0]


def _toml(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"]


def test_all_faults_in_one_go_with_file_and_key(tmp_path: Path) -> None:
    # Exact: four faults, four sentences; those of the file name the file, that of the command line says
    # --set.
    text = MINIMAL.replace('"100 um"', "100").replace('"0.31 mA/cm^2"', '"3 V"') + "[solver]\ntolerence = 1e-8\n"
    found = faults(tmp_path, text, ["stop.time=5"])
    assert len(found) == 4
    assert sum(sentence.startswith(str(tmp_path / "case.toml")) for sentence in found) == 3
    assert [s for s in found if s.startswith("--set: stop.time: 5: has no unit")]


def test_missing_keys_are_described(tmp_path: Path) -> None:
    # Exact: a case needs geometry and a load; in them the thickness and the current.
    assert [s.split(": ")[1] for s in faults(tmp_path, "")] == ["geometry", "load.current_density"]
    found = faults(tmp_path, "[geometry]\n[load]\n")
    assert [s.split(": ")[1] for s in found] == ["geometry.electrode_thickness", "load.current_density"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"x = [1,", "is not valid TOML"), (b"\xff\xfe", "is not a text file"), (None, "cannot be read")],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, words: str) -> None:
    # Exact: one sentence, exit code 2.
    path = tmp_path / "case.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(CaseError, match=words) as caught:
        load(path)
    assert caught.value.exit_code == 2


def test_overrides_as_texts_and_as_tables_agree(tmp_path: Path) -> None:
    # Exact: TOML values, texts that are no TOML, nested and dotted tables give the same case.
    path = write(tmp_path, MINIMAL)
    texts = load(
        path,
        ["load.stack_pressure=2.5 MPa", "geometry.dimension=1", 'title="a = b"', "electrode.material=Li-5Mg"],
    )
    nested = load(
        path,
        {
            "load": {"stack_pressure": "2.5 MPa"},
            "geometry.dimension": 1,
            "title": "a = b",
            "electrode": {"material": "Li-5Mg"},
        },
    )
    assert texts == nested
    assert texts.title == "a = b" and texts.load.stack_pressure == 2.5e6


@pytest.mark.parametrize("text", ["foo", "=3", "a..b=3", "load.stack_pressure"])
def test_texts_that_are_no_override(tmp_path: Path, text: str) -> None:
    # Exact: each is named with what is allowed.
    assert faults(tmp_path, MINIMAL, [text]) == [f"--set: {text}: is not an override; allowed: section.key=VALUE"]


def test_hash_ignores_what_does_not_change_the_result(tmp_path: Path) -> None:
    # Exact: title, output and expectations do not count, everything else does.
    path = write(tmp_path, MINIMAL)
    base = load(path).sha256()
    same = {"title": "other", "output.every": "1 h", "expect": {"steps": {"value": 3}}}
    assert load(path, same).sha256() == base
    assert load(path, {"solver.time_tolerance": 1e-5}).sha256() != base
    assert load(path, {"electrode.material": "Li-1Mg"}).sha256() != base


def test_mesh_file_is_relative_to_the_case_and_hashed_by_content(tmp_path: Path) -> None:
    # Exact: the path is that beside the case file; the same content elsewhere gives the same hash, another
    # another.
    text = MINIMAL.replace("[geometry]", '[geometry]\nkind = "file"\nfile = "my.msh"\nlength_unit = "um"')
    found = []
    for name, content in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "my.msh").write_text(content)
        case = load(write(tmp_path / name, text))
        assert case.geometry.file == str(tmp_path / name / "my.msh")
        assert case.geometry.length_unit == 1e-6
        found.append(case.sha256())
    assert found[0] == found[1] != found[2]


def test_overridden_numbers_reach_the_electrode(tmp_path: Path) -> None:
    # Exact: the user's D at the initial composition, with the slope of the base; their creep without any
    # scaling.
    path = write(tmp_path, MINIMAL)
    creep = "creep_prefactor = '0.01 / MPa^5 / s', creep_exponent = 5"
    material = f"{{ base = 'Li-5Mg', diffusivity = '1e-10 cm^2/s', {creep} }}"
    plain = load(path, ["electrode.material=Li-5Mg"]).electrode_properties()
    own = load(path, [f"electrode.material={material}"]).electrode_properties()
    assert own.diffusivity == pytest.approx(1e-14, rel=1e-12)
    assert own.log_diffusivity[1] == plain.log_diffusivity[1]
    assert own.creep_exponent == 5.0 and own.creep_prefactor == pytest.approx(1e-32, rel=1e-12)
    assert own.creep_stress_range == (0.0, math.inf)
    assert {value.name for value in own.provenance if value.source == "case file"} == {
        "diffusivity",
        "creep exponent",
        "creep prefactor",
    }
    assert not any(value.name.startswith("hardness") for value in own.provenance)
    kept = load(path, [f"electrode.material={material}", "electrode.diffusivity=initial"]).electrode_properties()
    assert kept.log_diffusivity == (pytest.approx(math.log(1e-14)), 0.0)


def test_a_full_alloy_of_the_user(tmp_path: Path) -> None:
    # Exact: every number is the user's, the solution ideal, D constant.
    path = write(tmp_path, MINIMAL)
    alloy = load(path, [FULL_ALLOY.replace("electrode.material = ", "electrode.material=")]).electrode_properties()
    assert (alloy.name, alloy.li_fraction, alloy.omega_host) == ("LiX", 0.9, 16e-6)
    assert alloy.log_diffusivity == (pytest.approx(math.log(1e-14)), 0.0)
    assert alloy.activity == (0.0, 0.0)
    assert alloy.creep_prefactor == pytest.approx(1e-32, rel=1e-12)
    assert alloy.li_fraction_range == (0.5, 1.0)


def test_equal_molar_volumes(tmp_path: Path) -> None:
    # Exact: both are that of Li.
    case = load(write(tmp_path, MINIMAL), {"electrode.material": "Li-5Mg", "electrode.molar_volumes": "equal"})
    assert case.electrode_properties().omega_host == 13.0e-6


def test_voids_take_a_shape_by_default(tmp_path: Path) -> None:
    # Exact: aspect 0.5 unless an aspect or a contact angle is given; one radius has no spread.
    voids = load(write(tmp_path, VOIDS), {"geometry.voids.radius": "2 um"}).geometry.voids
    assert voids is not None and voids.aspect == 0.5 and voids.radius is not None
    assert (voids.radius.mean, voids.radius.std) == (2e-6, 0.0)
    voids = load(write(tmp_path, VOIDS), {"geometry.voids.contact_angle": "93.6 deg"}).geometry.voids
    assert voids is not None and voids.aspect is None and voids.contact_angle == pytest.approx(93.6)


def test_schema_describes_every_key() -> None:
    # Exact: each property of each section has a description; each that is not required has a default.
    definitions = schema()["$defs"]
    tables = [schema(), *definitions.values()]
    for section in tables:
        for name, entry in section["properties"].items():
            target = definitions.get(entry.get("$ref", "").removeprefix("#/$defs/"), {})
            assert "description" in {**target, **entry}, name
            assert name in section.get("required", []) or "default" in entry, name
    json.dumps(tables)
    assert set(schema()["properties"]) == set(Case.model_fields)
