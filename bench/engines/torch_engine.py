"""torch, eager: native code, an upper mark. Speaks the runner's protocol on the channel that Node opens for a child."""

import json
import math
import os
import resource
import socket
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

WARM_UP_RUNS = 3
SAMPLES = 4096


def main():
    job = json.loads(sys.argv[1])
    channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD'])).makefile('rw', encoding='utf-8')

    def reply(message):
        channel.write(json.dumps(message) + '\n')
        channel.flush()

    try:
        torch.set_num_threads(job['threads'])
        t = from_files(job) if 'folder' in job else {tensor['name']: fill(tensor) for tensor in job['tensors']}
        training = 'step' in job['program']
        program = compile(job['program'], 'work', 'eval')
        scope = {'torch': torch, 'F': F, 't': t, 'minilm': minilm, 'minilm_step': minilm_step, 'gpt': gpt, 'gpt_step': gpt_step, 'attention_step': attention_step}

        def run():
            with torch.inference_mode(not training):
                return eval(program, scope)

        version = f'torch {torch.__version__}'
        first = sample(run())
        if 'folder' in job:
            reply({'kind': 'first', 'version': version, 'output': first, 'peakRssBytes': peak_rss()})
            return
        for _ in range(WARM_UP_RUNS):
            run()
        reply({'kind': 'ready', 'version': version, 'outputs': [first, sample(run())], **note_on_blas()})
        rest = stopwatch()
        for line in channel:
            request, idle = json.loads(line), rest()
            reply({'kind': 'round', 'idleCores': idle, **measure(run, request)})
            rest = stopwatch()
    except Exception as error:
        reply({'kind': 'failed', 'message': f'{type(error).__name__}: {error}'})


def measure(run, request):
    run()
    busy, start, times = stopwatch(), time.perf_counter(), []
    while len(times) < request['minRuns'] or (time.perf_counter() - start) * 1e3 < request['budgetMs']:
        before = time.perf_counter()
        run()
        times.append((time.perf_counter() - before) * 1e3)
    return {'times': times, 'busyCores': busy(), 'peakRssBytes': peak_rss()}


def note_on_blas():
    """Debian's torch multiplies with whichever BLAS is installed; the reference one is some thirty times slower."""
    if 'USE_MKL=ON' in torch.__config__.show() or not os.path.exists('/proc/self/maps'):
        return {}
    with open('/proc/self/maps') as maps:
        loaded = maps.read()
    fast = any(name in loaded for name in ('openblas', 'libmkl', 'libblis'))
    return {} if fast else {'note': 'multiplies with the reference BLAS: install libopenblas0-pthread for a real mark'}


def stopwatch():
    cpu, start = time.process_time(), time.perf_counter()
    return lambda: (time.process_time() - cpu) / (time.perf_counter() - start)


def peak_rss():
    if os.path.exists('/proc/self/status'):
        with open('/proc/self/status') as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith('VmHWM'))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)


def sample(output):
    flat = output.detach().numpy().reshape(-1)
    return {'length': flat.size, 'values': flat[:: max(1, flat.size // SAMPLES)].tolist()}


def fill(tensor):
    """The same numbers as harness/values.ts makes."""
    size = math.prod(tensor['shape'])
    offset = np.uint32((tensor['seed'] + 1) * 0x9E3779B9 & 0xFFFFFFFF)
    x = np.arange(size, dtype=np.uint32) + offset
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x = x ^ (x >> np.uint32(15))
    values = tensor['low'] + (tensor['high'] - tensor['low']) * x.astype(np.float64) / 2**32
    return torch.from_numpy(values.astype(np.float32 if tensor['dtype'] == 'f32' else np.int64)).view(tensor['shape'])


def from_files(job):
    """The tensors that harness/files.ts wrote."""
    tensors, at = {}, 0
    for tensor in job['tensors']:
        size = math.prod(tensor['shape'])
        dtype = np.float32 if tensor['dtype'] == 'f32' else np.int32
        data = np.fromfile(job['folder'] + '/tensors.bin', dtype, size, offset=at)
        at += 4 * size
        values = torch.from_numpy(data).view(tensor['shape'])
        tensors[tensor['name']] = values if dtype == np.float32 else values.long()
    return tensors


def minilm(t, layers, heads):
    """The last hidden state, [batch * seq, hidden]."""
    batch, seq = t['ids'].shape
    hidden = t['positions'].shape[1]

    def linear(x, name):
        return torch.addmm(t[name + '.bias'], x, t[name + '.weight'])

    def norm(x, name):
        return F.layer_norm(x, (hidden,), t[name + '.weight'], t[name + '.bias'], 1e-12)

    def split(x):
        return x.view(batch, seq, heads, hidden // heads).transpose(1, 2)

    masked = ((1 - t['mask'].float()) * -1e9).view(batch, 1, 1, seq)
    x = norm(F.embedding(t['ids'], t['words']) + t['positions'], 'embeddings.norm').view(batch * seq, hidden)
    for index in range(layers):
        layer = f'layer.{index}.'
        q, k, v = (split(linear(x, layer + name)) for name in ('query', 'key', 'value'))
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(hidden // heads) + masked, -1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch * seq, hidden)
        x = norm(linear(mixed, layer + 'output') + x, layer + 'output.norm')
        x = norm(linear(F.gelu(linear(x, layer + 'up')), layer + 'down') + x, layer + 'down.norm')
    return x


def gpt(t, layers, heads, read):
    """The logits of the token after `ids`, when `read` tokens lie in the caches; the caches grow as eager code does it, by `cat`."""
    (seq,), hidden = t['ids'].shape, t['positions'].shape[1]

    def linear(x, name):
        return torch.addmm(t[name + '.bias'], x, t[name + '.weight'])

    def norm(x, name):
        return F.layer_norm(x, (hidden,), t[name + '.weight'], t[name + '.bias'], 1e-5)

    def split(x):
        return x.view(seq, heads, hidden // heads).transpose(0, 1)

    later = torch.triu(torch.full((seq, read + seq), -1e9), diagonal=read + 1)
    x = F.embedding(t['ids'], t['words']) + t['positions'][read:read + seq]
    for index in range(layers):
        layer = f'layer.{index}.'
        normal = norm(x, layer + 'attention.norm')
        q, k, v = (split(linear(normal, layer + name)) for name in ('query', 'key', 'value'))
        k = torch.cat([t[layer + 'keys'][:, :read], k], 1)
        v = torch.cat([t[layer + 'values'][:, :read], v], 1)
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(hidden // heads) + later, -1)
        x = x + linear((weights @ v).transpose(0, 1).reshape(seq, hidden), layer + 'output')
        x = x + linear(F.gelu(linear(norm(x, layer + 'inner.norm'), layer + 'up'), approximate='tanh'), layer + 'down')
    return norm(x[-1:], 'last.norm') @ t['words'].T



optimizers = {}


def step(t, loss_of):
    """The loss before one step of AdamW on every weight."""
    if 'adamw' not in optimizers:
        weights = [value.requires_grad_() for value in t.values() if value.is_floating_point()]
        optimizers['adamw'] = torch.optim.AdamW(weights, lr=5e-5, weight_decay=0.01, foreach=True)
    loss = loss_of()
    optimizers['adamw'].zero_grad()
    loss.backward()
    optimizers['adamw'].step()
    return loss


def gpt_step(t, layers, heads):
    """One step of a GPT whose next tokens are the labels."""
    (batch, seq), hidden = t['ids'].shape, t['positions'].shape[1]

    def linear(x, name):
        return torch.addmm(t[name + '.bias'], x, t[name + '.weight'])

    def norm(x, name):
        return F.layer_norm(x, (hidden,), t[name + '.weight'], t[name + '.bias'], 1e-5)

    def split(x):
        return x.view(batch, seq, heads, hidden // heads).transpose(1, 2)

    def loss():
        later = torch.triu(torch.full((seq, seq), -1e9), diagonal=1)
        x = (F.embedding(t['ids'], t['words']) + t['positions']).view(batch * seq, hidden)
        for index in range(layers):
            layer = f'layer.{index}.'
            normal = norm(x, layer + 'attention.norm')
            q, k, v = (split(linear(normal, layer + name)) for name in ('query', 'key', 'value'))
            weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(hidden // heads) + later, -1)
            mixed = (weights @ v).transpose(1, 2).reshape(batch * seq, hidden)
            x = x + linear(mixed, layer + 'output')
            inner = F.gelu(linear(norm(x, layer + 'inner.norm'), layer + 'up'), approximate='tanh')
            x = x + linear(inner, layer + 'down')
        return F.cross_entropy(norm(x, 'last.norm') @ t['words'].T, t['labels'].view(-1))

    return step(t, loss)


def attention_step(t):
    """The context of causal attention and its gradients beside it, [batch, seq, heads, 4 * size]."""
    of = [t[name].detach().requires_grad_() for name in ('q', 'k', 'v')]
    q, k, v = (x.transpose(1, 2) for x in of)
    later = torch.triu(torch.full((q.shape[2], q.shape[2]), -math.inf), diagonal=1)
    context = (torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[3]) + later, -1) @ v).transpose(1, 2)
    return torch.cat((context, *torch.autograd.grad((context * t['weight']).sum(), of)), 3)


def minilm_step(t, layers, heads):
    """One step of a classifier of two labels."""

    def loss():
        batch, seq = t['ids'].shape
        first = minilm(t, layers, heads).view(batch, seq, -1)[:, 0]
        pooled = torch.tanh(torch.addmm(t['pooler.bias'], first, t['pooler.weight']))
        return F.cross_entropy(torch.addmm(t['classifier.bias'], pooled, t['classifier.weight']), t['labels'])

    return step(t, loss)


if __name__ == '__main__':
    main()
