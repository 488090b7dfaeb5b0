import { MemoryBroker } from '../../src/topic/memory-broker.ts'
import { brokerContract } from '../contract/broker.contract.ts'

brokerContract('memory', () => {
  const broker = new MemoryBroker()
  return { near: broker, far: broker, topicsHeld: () => broker.size, dispose: () => {} }
})
