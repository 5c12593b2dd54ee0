/** Columns as Apache's tools print them. */
import { expect, test } from 'vitest'
import { type Column, formatTable } from '../../packages/admin/src/table.ts'

interface Row {
  readonly name: string
  readonly count: number
}

const columns: readonly Column<Row>[] = [
  { title: '#Name', width: 8, cutAt: 10, cell: (row) => row.name },
  { title: '#N', width: 5, align: 'right', cell: (row) => row.count },
  { title: '#Last', width: 0, cell: (row) => `${row.name}!` },
]

test('cells are padded to their columns, two spaces apart, without blanks at the end', () => {
  expect(formatTable(columns, [{ name: 'a', count: 7 }])).toEqual([
    '#Name        #N  #Last',
    'a             7  a!',
  ])
})

test('a long cell keeps all its characters, unless its column says where to cut', () => {
  const [, line] = formatTable(columns, [{ name: 'abcdefghijkl', count: 1_234_567 }])
  expect(line).toBe('abcdefghij  1234567  abcdefghijkl!')
})

test('without rows there are the titles', () => {
  expect(formatTable(columns, [])).toHaveLength(1)
})
