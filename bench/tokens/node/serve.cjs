// Serves one npm tokenizer over standard input and output, as the Go programs do: see internal/runner/protocol.go.
//
//	node serve.cjs <folder of package.json> <library>
'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const readline = require('node:readline')

const [folder, library] = process.argv.slice(2)
const load = createRequire(path.join(path.resolve(folder), 'serve.cjs'))

// How each library counts, given the name of an encoding.
const libraries = {
  tiktoken: (encoding) => {
    const e = load('tiktoken').get_encoding(encoding)
    return (text) => e.encode_ordinary(text).length
  },
  'tiktoken-node': (encoding) => {
    const e = load('tiktoken-node').getEncoding(encoding)
    return (text) => e.encode(text).length
  },
  'gpt-tokenizer': (encoding) => load(`gpt-tokenizer/encoding/${encoding}`).countTokens,
}

let count = null
let text = ''

function measure(times) {
  let tokens = 0
  const start = process.hrtime.bigint()
  for (let i = 0; i < times; i++) tokens = count(text)
  return { tokens, ns: Number(process.hrtime.bigint() - start) }
}

function answer(request) {
  if (request.op !== 'open' && count === null) throw new Error('no encoding is open')
  switch (request.op) {
    case 'open': {
      const start = process.hrtime.bigint()
      count = libraries[library](request.encoding)
      const tokens = count('a')
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

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let reply
  try {
    reply = answer(JSON.parse(line))
  } catch (e) {
    reply = { error: String(e?.message ?? e) }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
})
