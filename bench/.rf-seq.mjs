import { openBenchStore, TOPIC, MIB } from './store-ground.mjs'
const folder = process.argv[2]
const cpu = (c) => { const u = process.cpuUsage(c); return (u.user+u.system)/1000 }
const store = await openBenchStore(folder)
const count = store.queueBounds(TOPIC, 0).maxOffset
for (let round = 0; round < Number(process.argv[3] ?? 6); round++) {
  let t = performance.now(), c = process.cpuUsage(), bytes = 0, sync = 0, reads = 0
  for (let offset = 0; offset < count;) { const r = store.read({topic: TOPIC, queueId: 0, offset, maxMessages: 32, maxBytes: 262144}); reads++; if (!(r instanceof Promise)) sync++; const f = await r; for (const s of f.slices) bytes += s.length; offset = f.nextOffset }
  const ms = performance.now()-t
  const {user, system} = process.cpuUsage(c)
  console.log(`seq ${(bytes/MIB/ms*1000).toFixed(0)} MiB/s (cpu user ${(user/1000/(bytes/MIB)).toFixed(2)} sys ${(system/1000/(bytes/MIB)).toFixed(2)} ms/MiB), sync ${sync}/${reads}, rss ${(process.memoryUsage().rss/MIB).toFixed(0)}`)
}
await store.close()
