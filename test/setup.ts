/** Property tests draw the same cases everywhere, so that a failure is of the change that it came with; `FC_SEED` draws others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 1) });
