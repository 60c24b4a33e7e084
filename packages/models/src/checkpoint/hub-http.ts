/** The hub's side of HTTP: what a file is (HEAD), and its bytes (GET with Range), by the protocol of `huggingface_hub`. */
import { CheckpointError } from './errors.ts';

/** What the hub says about a file. */
export type RemoteFile =
  | {
      readonly kind: 'file';
      readonly commit: string;
      /** Names the content: the SHA-256 of large files, the git blob hash of small ones. */
      readonly etag: string;
      readonly size: number | undefined;
    }
  | { readonly kind: 'absent'; readonly commit: string | undefined };

/** What a request needs to know besides its address. */
export interface RequestOptions {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A hub that has not answered for so long is taken for unreachable. */
const answerWithin = 10_000;
/** Tries after an answer that says "later" (429, 5xx) or a connection that broke. */
export const retries = 3;

/** The address of a file of a model. */
export function fileUrl(endpoint: string, id: string, revision: string, name: string): string {
  return `${endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * Asks what a file is.
 * @throws CheckpointError `unreachable`, `unauthorized`, `unknown-repo`, `bad-response`
 */
export async function remoteFile(url: string, options: RequestOptions): Promise<RemoteFile> {
  const response = await request('HEAD', url, {}, options);
  const header = (name: string) => response.headers.get(name) ?? undefined;
  const commit = header('x-repo-commit');
  if (response.status === 404 && !/^(Repo|Revision)NotFound$/.test(header('x-error-code') ?? ''))
    return { kind: 'absent', commit };
  // A large file is announced by the redirect to it; the plain ETag and length are then those of the redirect.
  const redirect = response.status >= 300 && response.status < 400;
  if (!response.ok && !redirect) throw refusal(response, url);
  const etag = (header('x-linked-etag') ?? (redirect ? undefined : header('etag')))?.replace(/^(?:W\/)?"?|"$/g, '');
  const length = header('x-linked-size') ?? (redirect ? undefined : header('content-length'));
  const size = length === undefined ? undefined : Number(length);
  // Both become names in the cache folder, so they must not lead out of it.
  if (!isPlainName(commit) || !isPlainName(etag) || (size !== undefined && !Number.isSafeInteger(size)))
    throw new CheckpointError('bad-response', {
      asked: 'a file of a model',
      found: `the answer ${response.status} lacks a proper X-Repo-Commit (${commit}), ETag (${etag}) or size (${length})`,
      where: url,
      fix: 'Is HF_ENDPOINT the address of a Hugging Face hub?',
    });
  return { kind: 'file', commit, etag, size };
}

/**
 * Asks for a file's bytes from position `from` on. The answer is 206 (from there), 200 (from the start) or 416 (nothing there).
 * @throws CheckpointError `unreachable`, `unauthorized`, `unknown-repo`, `bad-response`
 */
export async function requestBytes(url: string, from: number, options: RequestOptions): Promise<Response> {
  const response = await request('GET', url, from > 0 ? { range: `bytes=${from}-` } : {}, options);
  if (!response.ok && response.status !== 416) throw refusal(response, url);
  return response;
}

/** Follows redirects (HEAD: only up to the answer that describes the file), and sends the token to the hub alone. */
async function request(
  method: 'HEAD' | 'GET',
  url: string,
  headers: Record<string, string>,
  options: RequestOptions,
): Promise<Response> {
  const { endpoint, token, signal } = options;
  let address = new URL(url);
  for (let hops = 0; hops < 10; hops++) {
    const own = token && address.origin === new URL(endpoint).origin;
    const response = await answer(address, signal, {
      method,
      redirect: 'manual',
      headers: {
        'user-agent': 'sinter',
        'accept-encoding': 'identity',
        ...headers,
        ...(own && { authorization: `Bearer ${token}` }),
      },
    });
    const location = response.headers.get('location');
    const described = method === 'HEAD' && response.headers.has('x-linked-etag');
    if (response.status < 300 || response.status >= 400 || location === null || described) return response;
    await response.body?.cancel();
    address = new URL(location, address);
  }
  throw new CheckpointError('bad-response', {
    asked: 'a file of a model',
    found: 'more than 10 redirects',
    where: url,
    fix: 'Check HF_ENDPOINT.',
  });
}

/** One request; tries again after 429 and 5xx. */
async function answer(url: URL, signal: AbortSignal | undefined, init: RequestInit): Promise<Response> {
  for (let tries = 0; ; tries++) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${answerWithin / 1000} s`)), answerWithin);
    try {
      const response = await fetch(url, {
        ...init,
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      });
      if ((response.status !== 429 && response.status < 500) || tries >= retries) return response;
      await response.body?.cancel();
    } catch (cause) {
      signal?.throwIfAborted();
      throw unreachable(String(url), cause);
    } finally {
      clearTimeout(timer);
    }
    await pause(tries, signal);
  }
}

/** Waits before another try: 0.3 s, 0.6 s, 1.2 s, … */
export function pause(tries: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal!.reason));
    const timer = setTimeout(() => (signal?.removeEventListener('abort', stop), resolve()), 300 * 2 ** tries);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function unreachable(where: string, cause: unknown): CheckpointError {
  const reason = (cause as { cause?: { code?: string; message?: string } }).cause;
  return new CheckpointError(
    'unreachable',
    {
      asked: 'an answer of the hub',
      found: `there is none (${reason?.code ?? reason?.message ?? (cause as Error).message})`,
      where,
      fix: 'Check the network and HF_ENDPOINT, or give the path of a local model folder.',
    },
    { cause },
  );
}

function refusal(response: Response, where: string): CheckpointError {
  const { status } = response;
  const said = response.headers.get('x-error-message') ?? response.statusText;
  const found = `the hub answers ${status}${said ? ` (${said})` : ''}`;
  const asked = 'a file of a model';
  if (status === 401 || status === 403)
    return new CheckpointError('unauthorized', {
      asked,
      found,
      where,
      fix: 'Check the id; for a private or gated model set HF_TOKEN to a token that may read it, and accept its terms on its page.',
    });
  if (status === 404)
    return new CheckpointError('unknown-repo', {
      asked,
      found,
      where,
      fix: 'Check the spelling of the model id and the revision.',
    });
  return new CheckpointError('unreachable', { asked, found, where, fix: 'Try again later.' });
}

function isPlainName(name: string | undefined): name is string {
  return name !== undefined && /^[\w-][\w.-]*$/.test(name);
}
