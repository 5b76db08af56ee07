package farebox

import (
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
)

// metricAttributes are those of bounded number that the conventions ask for.
func metricAttributes(r *Receipt, ep *endpoint) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 10)
	attrs = append(attrs,
		attribute.String(attrOperation, r.Operation),
		attribute.String(attrProvider, providerName(ep)),
		attribute.String(attrRequestModel, r.ModelAsked),
		attribute.String(attrEndpoint, ep.name),
	)
	if r.Model != "" {
		attrs = append(attrs, attribute.String(attrResponseModel, r.Model))
	}
	return append(attrs, serverAttributes(ep)...)
}

func serverAttributes(ep *endpoint) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(ep.host)
	if err != nil {
		return []attribute.KeyValue{attribute.String(attrServerAddress, ep.host)}
	}
	attrs := []attribute.KeyValue{attribute.String(attrServerAddress, host)}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, attribute.Int(attrServerPort, n))
	}
	return attrs
}

func providerName(ep *endpoint) string {
	if known, ok := conventionalProviders[ep.provider.id]; ok {
		return known
	}
	if ep.provider.id != "" {
		return ep.provider.id
	}
	return ep.name
}

// receiptAttributes are what a span shows of a receipt, but for usage and cost.
func receiptAttributes(r *Receipt, ep *endpoint) []attribute.KeyValue {
	attrs := metricAttributes(r, ep)
	attrs = append(attrs, attribute.String(attrReceipt, r.ID), attribute.String(attrCostSource, string(r.Source)))
	attrs = keyAttribute(attrs, r)
	if r.Status != 0 {
		attrs = append(attrs, attribute.Int(attrStatusCode, r.Status))
	}
	if r.GenerationID != "" {
		attrs = append(attrs, attribute.String(attrResponseID, r.GenerationID))
	}
	if r.Stream {
		attrs = append(attrs, attribute.Bool(attrStream, true))
	}
	if r.TimeToFirstChunk > 0 {
		attrs = append(attrs, attribute.Float64(attrTimeToFirstChunk, r.TimeToFirstChunk.Seconds()))
	}
	if r.FinishReason != "" {
		attrs = append(attrs, attribute.StringSlice(attrFinishReasons, []string{r.FinishReason}))
	}
	for name, value := range r.Tags {
		attrs = append(attrs, attribute.String(attrTagPrefix+name, value))
	}
	return attrs
}

func keyAttribute(attrs []attribute.KeyValue, r *Receipt) []attribute.KeyValue {
	if r.KeyLabel == "" {
		return attrs
	}
	return append(attrs, attribute.String(attrKeyLabel, r.KeyLabel))
}

// costAttribute adds what receipts come to; nothing where that is not known, which is not the same as nothing spent.
func costAttribute(attrs []attribute.KeyValue, receipts ...Receipt) []attribute.KeyValue {
	for i := range receipts {
		if receipts[i].Source == Unpriced {
			return attrs
		}
	}
	return append(attrs, attribute.Float64(attrCost, CostOf(receipts).Float64()))
}

// usedTokens counts tokens the conventions' way: cached ones are among the input.
type usedTokens struct {
	reported                       bool
	input, cacheRead, cacheWritten int64
	output, reasoning              int64
}

// add counts what a provider reported; an estimate of ours is not shown as its usage.
func (t *usedTokens) add(r *Receipt) {
	if r.RawUsage == nil {
		return
	}
	t.reported = true
	t.input += r.Usage.InputTokens()
	t.output += r.Usage.OutputTokens()
	t.reasoning += r.Usage.Reasoning
	t.cacheRead += r.Usage.CacheRead + r.Usage.AudioCacheRead
	t.cacheWritten += r.Usage.CacheWrite + r.Usage.CacheWrite1h
}

func (t *usedTokens) attributes(attrs []attribute.KeyValue) []attribute.KeyValue {
	if !t.reported {
		return attrs
	}
	return append(attrs,
		attribute.Int64(attrInputTokens, t.input),
		attribute.Int64(attrOutputTokens, t.output),
		attribute.Int64(attrReasoningTokens, t.reasoning),
		attribute.Int64(attrCacheReadTokens, t.cacheRead),
		attribute.Int64(attrCacheWritten, t.cacheWritten))
}
