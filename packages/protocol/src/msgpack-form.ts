/**
 * The first bytes of msgpack's forms, as far as heads need to know them. Source: msgpack's
 * specification. Owns nothing.
 */

export const form = {
  fixmap: 0x80,
  fixarray: 0x90,
  fixstr: 0xa0,
  nil: 0xc0,
  unused: 0xc1,
  false: 0xc2,
  true: 0xc3,
  bin8: 0xc4,
  bin32: 0xc6,
  ext8: 0xc7,
  ext32: 0xc9,
  float32: 0xca,
  float64: 0xcb,
  uint8: 0xcc,
  uint16: 0xcd,
  uint32: 0xce,
  uint64: 0xcf,
  int8: 0xd0,
  int16: 0xd1,
  int32: 0xd2,
  int64: 0xd3,
  fixext1: 0xd4,
  fixext16: 0xd8,
  str8: 0xd9,
  str16: 0xda,
  str32: 0xdb,
  array16: 0xdc,
  array32: 0xdd,
  map16: 0xde,
  map32: 0xdf,
  negative: 0xe0,
} as const

/** The greatest number that is its own form. */
export const MAX_FIXINT = 0x7f
export const MAX_FIXARRAY = 15
