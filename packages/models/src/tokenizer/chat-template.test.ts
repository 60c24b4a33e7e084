import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { AutoTokenizer } from './auto.ts';
import type { ChatMessage, ChatOptions } from './chat-template.ts';
import { TokenizerError } from './errors.ts';
import { trainByteLevelBPE } from './train-byte-level-bpe.ts';

/** As Qwen2, Llama 3 and Mistral write conversations. */
const templates = {
  qwen2:
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  llama3:
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
  mistral:
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content'] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n{{- bos_token }}\n{%- for message in loop_messages %}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\n        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\n    {%- endif %}\n    {%- if message['role'] == 'user' %}\n        {%- if loop.first and system_message is defined %}\n            {{- ' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]' }}\n        {%- else %}\n            {{- ' [INST] ' + message['content'] + ' [/INST]' }}\n        {%- endif %}\n    {%- else %}\n        {{- ' ' + message['content'] + eos_token}}\n    {%- endif %}\n{%- endfor %}\n",
  tools:
    "{%- if tools %}\n    {{- '# Tools\\n' }}\n    {%- for tool in tools %}\n        {{- '\\n' }}\n        {{- tool | tojson }}\n    {%- endfor %}\n{%- endif %}\n{%- for m in messages if m.role != 'system' %}\n    {{- '\\n' ~ m.role|upper ~ ': ' ~ (m.content or 'nothing') }}\n    {%- for call in m.tool_calls or [] %}{{- ' ' ~ call.name ~ '(' ~ call.arguments|tojson ~ ')' }}{%- endfor %}\n{%- endfor %}",
};
const turns: readonly ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: ' Wie heißt die Hauptstadt? “Größe” <b> 😀 ' },
  { role: 'assistant', content: 'Berlin' },
  { role: 'user', content: "It's\nnew" },
];
const tools = [
  {
    type: 'function',
    function: { name: 'now', description: 'Zeit <ü>', parameters: { type: 'object', properties: {} } },
  },
];
const called = [...turns, { role: 'assistant', tool_calls: [{ name: 'now', arguments: { zone: 'Zürich', n: 1 } }] }];
const specials = ['<|im_start|>', '<|im_end|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];
const bpe = trainByteLevelBPE(['the capital'], { special_tokens: specials, bos_token: '<s>', eos_token: '</s>' });

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'chat-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const cases: { template: keyof typeof templates; messages: readonly ChatMessage[]; options: ChatOptions }[] = [
  { template: 'qwen2', messages: turns, options: { add_generation_prompt: true } },
  { template: 'qwen2', messages: turns.slice(1), options: {} },
  { template: 'llama3', messages: turns, options: { add_generation_prompt: true } },
  { template: 'mistral', messages: turns, options: {} },
  { template: 'mistral', messages: turns.slice(1), options: { add_generation_prompt: true } },
  { template: 'tools', messages: called, options: { tools } },
];

const python = findPython(['transformers', 'jinja2']);
test.skipIf(!python)('text and ids are those of Python', async () => {
  await bpe.save_pretrained(folder);
  const code = [
    'import json, sys',
    'from transformers import AutoTokenizer',
    't = AutoTokenizer.from_pretrained(sys.argv[1])',
    'for template, messages, options in json.load(sys.stdin):',
    '    f = lambda tokenize: t.apply_chat_template(messages, chat_template=template, tokenize=tokenize, **options)',
    '    print(json.dumps([f(False), f(True)]))',
  ];
  const input = JSON.stringify(
    cases.map(({ template, messages, options }) => [templates[template], messages, options]),
  );
  const { stdout, stderr } = spawnSync(python!, ['-c', code.join('\n'), folder], { input, encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  expect(lines, stderr).toHaveLength(cases.length);
  cases.forEach(({ template, messages, options }, i) => {
    const chosen = { ...options, chat_template: templates[template] };
    const text = bpe.apply_chat_template(messages, { ...chosen, tokenize: false });
    const ids = bpe.apply_chat_template(messages, { ...chosen, tokenize: true });
    expect([text, ids], template).toEqual(JSON.parse(lines[i]!));
  });
});

test('templates stand in tokenizer_config.json, alone or by name, or in a file of their own', async () => {
  await bpe.save_pretrained(folder);
  const config = async (chat_template: unknown) => {
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ ...bpe.config, chat_template }));
    return AutoTokenizer.from_pretrained(folder);
  };
  const options = { tokenize: false } as const;
  const one = await config('{{ messages[0].content }}{{ eos_token }}');
  expect(one.apply_chat_template([{ role: 'user', content: 'a' }], options)).toBe('a</s>');
  const named = await config([
    { name: 'default', template: 'plain' },
    { name: 'tool_use', template: 'with tools' },
    { name: 'rag', template: 'with texts' },
  ]);
  expect(named.apply_chat_template([], options)).toBe('plain');
  expect(named.apply_chat_template([], { ...options, tools })).toBe('with tools');
  expect(named.apply_chat_template([], { ...options, chat_template: 'rag' })).toBe('with texts');
  const other = await config([{ name: 'rag', template: 'with texts' }]);
  expect(() => other.apply_chat_template([])).toThrow(/one of rag/);
  await writeFile(join(folder, 'chat_template.jinja'), 'from a file');
  expect((await config(undefined)).apply_chat_template([], options)).toBe('from a file');
});

test('errors', () => {
  expect(() => bpe.apply_chat_template([])).toThrow(/no chat_template/);
  const wrong = { chat_template: templates.mistral };
  const twice = [turns[1]!, turns[3]!];
  expect(() => bpe.apply_chat_template(twice, wrong)).toThrow(/does not take these messages: .*must alternate/);
  expect(() => bpe.apply_chat_template([], { chat_template: '{% for %}' })).toThrow(TokenizerError);
  expect(() => bpe.apply_chat_template([], { chat_template: '{% if %}' })).toThrow(/not Jinja/);
});
