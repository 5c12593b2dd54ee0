import { openSync, readSync, closeSync, rmSync } from 'node:fs'
import { openBenchStore, makeMessages, TOPIC, MIB, nextTurn } from './store-ground.mjs'
const folder = process.argv[2], BYTES = 64 * MIB
const messages = makeMessages(1024)
let store = await openBenchStore(folder)
let count = store.queueBounds(TOPIC, 0).maxOffset
if (count === 0) { let end = 0; while (end < BYTES) { for (let i=0;i<256;i++,count++) end = store.append({...messages[count & 511], queueId: 0}).endOffset; await nextTurn(); await store.settled(end, {waitForFlush: true}) } }
await store.close(); 
const cpu = (c) => { const u = process.cpuUsage(c); return (u.user+u.system)/1000 }
for (let round = 0; round < 4; round++) {
  store = await openBenchStore(folder)
  let t = performance.now(), c = process.cpuUsage(), bytes = 0, sync = 0, reads = 0
  for (let offset = 0; offset < count;) { const r = store.read({topic: TOPIC, queueId: 0, offset, maxMessages: 32, maxBytes: 262144}); reads++; if (!(r instanceof Promise)) sync++; const f = await r; for (const s of f.slices) bytes += s.length; offset = f.nextOffset }
  const ours = bytes/MIB/(performance.now()-t)*1000, ourCpu = cpu(c)/(bytes/MIB)
  const fd = openSync(folder + '/commitlog/00000000000000000000', 'r'), target = Buffer.alloc(MIB)
  t = performance.now(); c = process.cpuUsage(); let at = 0; while (at < bytes) at += readSync(fd, target, 0, Math.min(MIB, bytes-at), at)
  const raw = bytes/MIB/(performance.now()-t)*1000, rawCpu = cpu(c)/(bytes/MIB); closeSync(fd)
  t = performance.now(); c = process.cpuUsage(); for (let i = 0; i < 2000; i++) await store.read({topic: TOPIC, queueId: 0, offset: Math.floor(Math.random()*count), maxMessages: 1, maxBytes: 262144})
  const random = 2000/(performance.now()-t)*1000
  console.log(`seq ${ours.toFixed(0)} MiB/s (cpu ${ourCpu.toFixed(2)} ms/MiB), raw ${raw.toFixed(0)} (${rawCpu.toFixed(2)}), ratio ${(ours/raw).toFixed(2)}, sync ${sync}/${reads}, random ${random.toFixed(0)}/s, rss ${(process.memoryUsage().rss/MIB).toFixed(0)}`)
  await store.close()
}
