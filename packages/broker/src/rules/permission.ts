/**
 * What the bits of a permission allow. Source: Apache class PermName.
 */
import { permission } from '@rockhopper/protocol'

export function isReadable(perm: number): boolean {
  return (perm & permission.read) !== 0
}

export function isWriteable(perm: number): boolean {
  return (perm & permission.write) !== 0
}

export function isInherited(perm: number): boolean {
  return (perm & permission.inherit) !== 0
}
