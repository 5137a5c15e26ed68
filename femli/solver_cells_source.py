"""The C code of `solver_cells.py`: a loop over cells that reads, integrates and adds to the array of a matrix."""

TYPES = """
typedef struct {
  const double* values;  // of a function
  const int32_t* dofs;   // of each cell
  int count, block;      // dofs a cell, components a dof
  int start;             // where the kernel expects them
} coefficient;

typedef struct {
  uintptr_t kernel;
  int cells;
  const int32_t* cell;   // those that are integrated
  const double* points;  // of the mesh, three coordinates each
  const int32_t* nodes;  // of each cell
  int corners, coefficients, width;  // width: numbers that the kernel reads from coefficients
  const coefficient* coefficient;
  const double* constants;
} integral;

typedef struct {
  const int32_t* dofs;  // of each cell
  int count, block;
  const uint8_t* held;  // of each component of each dof: its row and column stay zero
} side;
"""
CALLS = """
int locate(const integral* in, const side* rows, const side* columns, const int32_t* begin, const int32_t* found,
             int step_rows, int step_columns, uint16_t* place);
void add(const integral* in, const side* rows, const side* columns, int blocked, const int32_t* begin,
         const uint16_t* place, double* values);
void add_rows(const integral* in, const side* rows, double* values);
"""
SOURCE = f"""
#include <stdint.h>
#include <stddef.h>
{TYPES}
typedef void compiled(double*, const double*, const double*, const double*, const int*, const uint8_t*, void*);

// Where in its row the block of each pair of dofs is; returns 1 where one is missing or too far.
int locate(const integral* in, const side* rows, const side* columns, const int32_t* begin, const int32_t* found,
             int step_rows, int step_columns, uint16_t* place)
{{
  for (int n = 0; n < in->cells; ++n)
    for (int i = 0; i < rows->count; ++i) {{
      const int32_t row = step_rows * rows->dofs[(size_t)in->cell[n] * rows->count + i];
      for (int j = 0; j < columns->count; ++j) {{
        const int32_t column = step_columns * columns->dofs[(size_t)in->cell[n] * columns->count + j];
        int32_t low = begin[row], high = begin[row + 1];
        while (high - low > 1) {{
          const int32_t middle = low + (high - low) / 2;
          if (found[middle] <= column) low = middle;
          else high = middle;
        }}
        if (low == begin[row + 1] || found[low] != column || low - begin[row] > UINT16_MAX) return 1;
        *place++ = low - begin[row];
      }}
    }}
  return 0;
}}

static inline int any_held(const side* s, int32_t cell)
{{
  int any = 0;
  for (int i = 0; i < s->count; ++i)
    for (int a = 0; a < s->block; ++a) any |= s->held[(size_t)s->block * s->dofs[(size_t)cell * s->count + i] + a];
  return any;
}}

static void release(double* A, const side* rows, const side* columns, int32_t cell)
{{
  const int width = columns->count * columns->block;
  for (int i = 0; i < rows->count * rows->block; ++i) {{
    const int32_t dof = rows->dofs[(size_t)cell * rows->count + i / rows->block];
    if (rows->held[(size_t)rows->block * dof + i % rows->block])
      for (int j = 0; j < width; ++j) A[i * width + j] = 0;
  }}
  for (int j = 0; j < width; ++j) {{
    const int32_t dof = columns->dofs[(size_t)cell * columns->count + j / columns->block];
    if (columns->held[(size_t)columns->block * dof + j % columns->block])
      for (int i = 0; i < rows->count * rows->block; ++i) A[i * width + j] = 0;
  }}
}}

// Blocks of a by b entries, stored one after the other by columns (blocked) or within the rows of the matrix.
static inline void scatter(const double* restrict A, const side* rows, const side* columns, int a, int b, int blocked,
                           int32_t cell, const int32_t* begin, const uint16_t* restrict place, double* restrict values)
{{
  const int width = b * columns->count;
  for (int i = 0; i < rows->count; ++i) {{
    const int32_t row = rows->dofs[(size_t)cell * rows->count + i];
    for (int j = 0; j < columns->count; ++j) {{
      const double* from = A + a * i * width + b * j;
      const size_t at = *place++;
      if (blocked) {{
        double* to = values + a * b * (begin[row] + at);
        for (int l = 0; l < b; ++l)
          for (int k = 0; k < a; ++k) to[a * l + k] += from[k * width + l];
      }} else
        for (int k = 0; k < a; ++k) {{
          double* to = values + begin[a * row + k] + at;
          for (int l = 0; l < b; ++l) to[l] += from[k * width + l];
        }}
    }}
  }}
}}

// The integrals over a cell, in A; w and x are room for what the kernel reads.
static inline void tabulate(const integral* in, int32_t cell, double* restrict w, double* restrict x, int size,
                            double* restrict A)
{{
  for (int i = 0; i < in->corners; ++i)
    for (int a = 0; a < 3; ++a) x[3 * i + a] = in->points[3 * (size_t)in->nodes[(size_t)cell * in->corners + i] + a];
  for (int m = 0; m < in->coefficients; ++m) {{
    const coefficient* f = in->coefficient + m;
    const int32_t* dofs = f->dofs + (size_t)cell * f->count;
    double* to = w + f->start;
    for (int i = 0; i < f->count; ++i)
      for (int a = 0; a < f->block; ++a) *to++ = f->values[(size_t)f->block * dofs[i] + a];
  }}
  for (int i = 0; i < size; ++i) A[i] = 0;
  ((compiled*)in->kernel)(A, w, in->constants, x, NULL, NULL, NULL);
}}

// Asks for the memory that `scatter` is going to write to, blocks of `entries`; it comes while the cell is integrated.
static inline void prefetch(const side* rows, const side* columns, int entries, int32_t cell, const int32_t* begin,
                            const uint16_t* place, double* values)
{{
  for (int i = 0; i < rows->count; ++i)
    for (int j = 0; j < columns->count; ++j) {{
      const double* to = values + entries * ((size_t)begin[rows->dofs[(size_t)cell * rows->count + i]] + *place++);
      __builtin_prefetch(to, 1);
      __builtin_prefetch(to + entries - 1, 1);
    }}
}}

void add(const integral* in, const side* rows, const side* columns, int blocked, const int32_t* begin,
         const uint16_t* place, double* values)
{{
  const int a = rows->block, b = columns->block, size = rows->count * a * columns->count * b;
  double A[size], x[3 * in->corners], w[in->width + 1];
  for (int n = 0; n < in->cells; ++n) {{
    const int32_t cell = in->cell[n];
    if (blocked) prefetch(rows, columns, a * b, cell, begin, place, values);
    tabulate(in, cell, w, x, size, A);
    if (any_held(rows, cell) | any_held(columns, cell)) release(A, rows, columns, cell);
    // Known sizes are compiled on their own.
    if (a == 3 && b == 3) scatter(A, rows, columns, 3, 3, blocked, cell, begin, place, values);
    else if (a == 3 && b == 1) scatter(A, rows, columns, 3, 1, blocked, cell, begin, place, values);
    else if (a == 1 && b == 3) scatter(A, rows, columns, 1, 3, blocked, cell, begin, place, values);
    else if (a == 1 && b == 1) scatter(A, rows, columns, 1, 1, blocked, cell, begin, place, values);
    else scatter(A, rows, columns, a, b, blocked, cell, begin, place, values);
    place += rows->count * columns->count;
  }}
}}

void add_rows(const integral* in, const side* rows, double* values)
{{
  const int size = rows->count * rows->block;
  double A[size], x[3 * in->corners], w[in->width + 1];
  for (int n = 0; n < in->cells; ++n) {{
    tabulate(in, in->cell[n], w, x, size, A);
    const int32_t* dofs = rows->dofs + (size_t)in->cell[n] * rows->count;
    for (int i = 0; i < rows->count; ++i)
      for (int k = 0; k < rows->block; ++k) values[(size_t)rows->block * dofs[i] + k] += A[rows->block * i + k];
  }}
}}
"""
