// Package sdks puts other people's SDKs over a farebox Meter: each makes plain, streamed, tool-calling, failing, retried,
// cancelled and refused calls, and what they cost must be exact. It is a module of its own, since farebox depends on none of
// them. An SDK is a row of a table and a small adapter; what is asked of all of them is written once.
package sdks
