// A headless browser of a test's own.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MISSING = `There is no Chromium to test with. Install it (on Debian: apt-get install chromium), or say where it is:
CHROMIUM=/path/to/chromium`;

/** Starts Chromium on `args`; it ends with `scope`. `onEnd` is told why it ended before. */
export function launch(scope, args, onEnd) {
  const profile = mkdtempSync(path.join(tmpdir(), 'selvedge-chromium-'));
  const browser = spawn(process.env.CHROMIUM ?? 'chromium', [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    `--user-data-dir=${profile}`, ...args,
  ], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'], detached: true });
  let words = '';
  browser.stderr.on('data', (chunk) => { words += chunk; });
  browser.once('error', (error) => onEnd(error.code === 'ENOENT' ? new Error(MISSING) : error));
  const ended = new Promise((resolve) => browser.once('close', resolve));
  browser.once('exit', () => onEnd(new Error(`Chromium ended:\n${words}`)));
  scope.after(async () => {
    if (browser.pid) {
      // Its helpers too.
      try { process.kill(-browser.pid, 'SIGKILL'); } catch { /* It has ended. */ }
      await ended;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return browser;
}

/**
 * Opens `url` in a browser that ends with `scope`. `run(what, ...args)` runs a function in the page and gives what it
 * returns, `picture()` is the page as a PNG.
 */
export async function open(scope, url) {
  const waiting = new Map();
  const browser = launch(scope, ['--remote-debugging-pipe', '--window-size=1200,900'], (error) => {
    for (const { reject } of waiting.values()) reject(error);
  });
  const [, , , commands, answers] = browser.stdio;
  commands.on('error', () => {});
  let text = '';
  answers.setEncoding('utf8').on('data', (chunk) => {
    const messages = (text + chunk).split('\0');
    text = messages.pop();
    for (const message of messages.map((one) => JSON.parse(one))) {
      const { resolve, reject } = waiting.get(message.id) ?? {};
      waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error.message));
      else resolve?.(message.result);
    }
  });
  let last = 0;
  const call = (method, params, sessionId) => new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    commands.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  });
  const { targetId } = await call('Target.createTarget', { url });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  return {
    async run(what, ...args) {
      const expression = `(${what})(...${JSON.stringify(args)})`;
      const options = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await call('Runtime.evaluate', options, sessionId);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    async picture() {
      return Buffer.from((await call('Page.captureScreenshot', { format: 'png' }, sessionId)).data, 'base64');
    },
  };
}
