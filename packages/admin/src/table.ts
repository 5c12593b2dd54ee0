/**
 * Prints columns as Apache's tools do: each cell padded to the width of its column and never cut
 * unless the column says so, mostly two spaces between them, the last one not padded when it has no width.
 */

export interface Column<Row> {
  readonly title: string
  /** Least characters; 0 for a last column of any length. */
  readonly width: number
  /** Numbers stand at the right end of their column. */
  readonly align?: 'left' | 'right'
  /** Most characters of a cell; absent when it is never cut. */
  readonly cutAt?: number
  readonly cell: (row: Row) => string | number
}

/** The line of titles, and a line for each row; `gap` stands between two cells. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  gap = '  ',
): string[] {
  const titles = columns.map((column) => padded(column, column.title))
  const body = rows.map((row) =>
    columns.map((column) => padded(column, cutTo(column, String(column.cell(row))))),
  )
  return [titles, ...body].map((cells) => cells.join(gap).trimEnd())
}

function cutTo(column: Pick<Column<never>, 'cutAt'>, text: string): string {
  return column.cutAt === undefined ? text : text.slice(0, column.cutAt)
}

function padded({ width, align }: Pick<Column<never>, 'width' | 'align'>, text: string): string {
  return align === 'right' ? text.padStart(width) : text.padEnd(width)
}
