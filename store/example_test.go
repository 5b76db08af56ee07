package store_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/farebox-go/farebox/store"
)

// Two branches, each with a server of its own, spend one cap that a third keeps. Tenants are each one branch's alone.
func ExampleNewBranch() {
	root, leafEU, leafUS := new(store.Memory), new(store.Memory), new(store.Memory) // in production: Redis, under a root of its own each
	shared := func(account string) bool { return strings.HasPrefix(account, "global/") }
	eu, err := store.NewBranch("eu", root, leafEU, shared)
	if err != nil {
		panic(err)
	}
	us, err := store.NewBranch("us", root, leafUS, shared)
	if err != nil {
		panic(err)
	}
	ask := func(branch store.Store, client, tenant string, amount int64) {
		reply, err := branch.Sync(context.Background(), client, []store.Line{
			{Account: store.Account{Key: "global/total/usd/"}, Cap: 100, Need: amount},
			{Account: store.Account{Key: "tenant/total/usd/" + tenant}, Cap: 50, Need: amount},
		})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, %d for %s: granted %v\n", client, amount, tenant, reply.Refused < 0)
	}
	ask(eu, "process 1", "anna", 45)
	ask(us, "process 2", "bert", 40)
	ask(us, "process 3", "cleo", 40)
	// Output:
	// process 1, 45 for anna: granted true
	// process 2, 40 for bert: granted true
	// process 3, 40 for cleo: granted false
}
