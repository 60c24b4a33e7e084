import { createFileWriter } from '@sinter/logger';

const writer = createFileWriter('./logs');
for (let step = 0; step < 100; step++) {
  const loss = Math.exp(-step / 30);
  writer.scalar('loss', loss, step);
}
await writer.flush();
await writer.close();
