// Answers questions about prices, one JSON object a line, with what each of two npm packages makes of them.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const folder = process.argv[2]
const genai = await import(pathToFileURL(join(folder, 'genai', 'package', 'dist', 'index.js')))
const aisdk = await import(pathToFileURL(join(folder, 'aisdk', 'package', 'dist', 'index.mjs')))

// genai-prices counts cached tokens inside the input, and reasoning inside the output.
function askGenAI(q) {
  const usage = {
    input_tokens: q.input + q.cache_read + q.cache_write,
    output_tokens: q.output + q.reasoning,
    cache_read_tokens: q.cache_read,
    cache_write_tokens: q.cache_write,
  }
  if (q.reasoning) usage.output_reasoning_tokens = q.reasoning
  if (q.web_searches) usage.web_searches = q.web_searches
  const found = genai.calcPrice(usage, q.model, { providerId: q.genai_provider, timestamp: new Date(q.at) })
  return found && { total: found.total_price, model: found.model.id, rates: found.model_price }
}

function askAISDK(q) {
  const rates = aisdk.getModelPricing(q.aisdk_provider, q.model)
  if (!rates) return null
  const usage = {
    inputTokens: q.input + q.cache_read + q.cache_write,
    outputTokens: q.output + q.reasoning,
    inputTokenDetails: { noCacheTokens: q.input, cacheReadTokens: q.cache_read, cacheWriteTokens: q.cache_write },
    outputTokenDetails: { textTokens: q.output, reasoningTokens: q.reasoning },
  }
  const cost = aisdk.calculateCost({ model: q.model, usage, customPricing: rates, webSearchRequests: q.web_searches })
  return { total: cost.totalCost, rates }
}

function attempt(ask, q) {
  try {
    return ask(q)
  } catch {
    return null
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line)
  const answer = { genai: q.genai_provider ? attempt(askGenAI, q) : null, aisdk: q.aisdk_provider ? attempt(askAISDK, q) : null }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
