// Runs the npm cases against TIDEGATE_URL with TIDEGATE_KEY: one line a case.
//
//     node run.mjs [WORD ...]     only cases whose line holds every word
//
// The clients are found in the node_modules of the folder it is started from a copy in. Exit code 1
// when a case fails, 2 when none was run.

import { readdirSync } from 'node:fs';

const CASE_MS_MAX = 30_000;
const wanted = process.argv.slice(2);
const here = new URL('.', import.meta.url);

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), CASE_MS_MAX);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

let ran = 0;
let failed = 0;
for (const file of readdirSync(here).filter((name) => /^test_.*\.mjs$/.test(name)).sort()) {
  const { suite } = await import(new URL(file, here));
  for (const { name, run } of suite.cases) {
    const title = `node ${suite.client}: ${name}`;
    if (!wanted.every((word) => title.includes(word))) continue;
    ran += 1;
    try {
      await within(run());
      console.log(`ok ${title}`);
    } catch (error) {
      failed += 1;
      const line = /test_\w+\.mjs:(\d+)/.exec(error?.stack ?? '')?.[1] ?? '0';
      const said = String(error?.message ?? error).replace(/\s+/g, ' ').slice(0, 300);
      console.log(`FAILED ${title}: line ${line}: ${error?.constructor?.name}: ${said}`);
      console.error(error?.stack);
    }
  }
}
// Clients keep connections open; nothing is left to wait for.
process.exit(ran === 0 ? 2 : Number(failed > 0));
