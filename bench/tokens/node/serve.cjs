// Serves one npm tokenizer over standard input and output, as the Go programs do: see internal/runner/protocol.go.
//
//	node serve.cjs <folder of package.json> <library>
'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const readline = require('node:readline')

const [folder, library] = process.argv.slice(2)
const load = createRequire(path.join(path.resolve(folder), 'serve.cjs'))

// How each library counts, given the name of an encoding: a number, or a promise of one.
const libraries = {
  tiktoken: (encoding) => {
    const e = load('tiktoken').get_encoding(encoding)
    return (text) => e.encode_ordinary(text).length
  },
  'tiktoken-node': (encoding) => {
    const e = load('tiktoken-node').getEncoding(encoding)
    return (text) => e.encode(text).length
  },
  'tiktoken-rs-node-linux-x64-gnu': (encoding) => {
    const e = load('tiktoken-rs-node-linux-x64-gnu').getEncoding(encoding)
    return (text) => e.encode(text).length
  },
  '@anysphere/tiktoken-node': (encoding) => {
    const { getTokenizer, SupportedEncoding } = load('@anysphere/tiktoken-node')
    const [t, e] = [getTokenizer(), SupportedEncoding[{ o200k_base: 'O200k', cl100k_base: 'Cl100k' }[encoding]]]
    if (e === undefined) throw new Error(`no encoding ${encoding}`)
    return (text) => t.exactNumTokensNoSpecialTokens(text, e)
  },
  'gpt-tokenizer': (encoding) => load(`gpt-tokenizer/encoding/${encoding}`).countTokens,
}

let count = null
let text = ''

async function measure(times) {
  let tokens = 0
  const start = process.hrtime.bigint()
  for (let i = 0; i < times; i++) {
    const counted = count(text)
    tokens = typeof counted === 'number' ? counted : await counted
  }
  return { tokens, ns: Number(process.hrtime.bigint() - start) }
}

async function answer(request) {
  if (request.op !== 'open' && count === null) throw new Error('no encoding is open')
  switch (request.op) {
    case 'open': {
      const start = process.hrtime.bigint()
      count = libraries[library](request.encoding)
      const tokens = await count('a')
      return { tokens, ns: Number(process.hrtime.bigint() - start) }
    }
    case 'text':
      text = request.text ?? ''
      return measure(1)
    case 'measure':
      if (!(request.times >= 1)) throw new Error(`cannot measure ${request.times} times`)
      return measure(request.times)
  }
  throw new Error(`unknown request "${request.op}"`)
}

async function serve() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let reply
    try {
      reply = await answer(JSON.parse(line))
    } catch (e) {
      reply = { error: String(e?.message ?? e) }
    }
    process.stdout.write(JSON.stringify(reply) + '\n')
  }
}

serve()
