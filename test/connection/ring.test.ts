import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Ring, RingMember } from '../../src/connection/ring.ts'

/** Members of which one at a time joins, or leaves. */
const steps = fc.array(fc.record({ joins: fc.boolean(), place: fc.nat(7) }), { maxLength: 60 })

test('S18 a ring holds, after any steps, what a Set holds after them, in its order, and says when it is empty', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      let timesEmpty = 0
      let timesExpected = 0
      const ring = new Ring(() => timesEmpty++)
      const set = new Set<RingMember>()
      const members = Array.from({ length: 8 }, () => new RingMember())
      for (const { joins, place } of taken) {
        const member = members[place] as RingMember
        if (!joins) member.leave()
        else if (!set.has(member)) ring.add(member)
        if (joins) set.add(member)
        else if (set.delete(member) && set.size === 0) timesExpected++
        const expected = [...set]
        expect(ring.first).toBe(expected[0])
        expect(timesEmpty).toBe(timesExpected)
        expect(ring.all().map((at) => members.indexOf(at))).toEqual(expected.map((at) => members.indexOf(at)))
      }
    }),
  )
})

test('S18 who has left holds nobody, so that an old one does not keep younger ones alive', () => {
  const ring = new Ring()
  const members = [new RingMember(), new RingMember(), new RingMember()] as const
  for (const member of members) ring.add(member)
  members[1].leave()
  expect(members[1].next).toBe(members[1])
  expect(members[1].previous).toBe(members[1])
  expect(ring.all()).toHaveLength(2)
})
