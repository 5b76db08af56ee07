package redisstore_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/storetest"
	"github.com/redis/go-redis/v9"
)

// cluster is three masters, of which the first has a replica.
type cluster struct {
	masters []*process
	replica *process
	client  *redis.ClusterClient
	roots   atomic.Int64
}

func startCluster(t *testing.T, program string) *cluster {
	t.Helper()
	c := &cluster{}
	node := func() *process {
		return startServer(t, program, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--appendonly", "yes",
			"--cluster-replica-validity-factor", "0")
	}
	addresses := make([]string, 0, 3)
	const slots = 16384
	for i := range 3 {
		s := node()
		must(t, s.client.ClusterAddSlotsRange(ctx, i*slots/3, (i+1)*slots/3-1).Err())
		must(t, s.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		c.masters, addresses = append(c.masters, s), append(addresses, s.address)
	}
	c.replica = node()
	for _, s := range append(c.masters[1:], c.replica) {
		host, port, _ := net.SplitHostPort(c.masters[0].address)
		must(t, s.client.ClusterMeet(ctx, host, port).Err())
	}
	first := c.masters[0].client.Do(ctx, "CLUSTER", "MYID").Val()
	for _, s := range append(c.masters[:3:3], c.replica) {
		eventually(t, "the cluster forms", s.folder+"/log", func() bool {
			known := s.client.ClusterNodes(ctx).Val()
			return strings.Count(known, "connected") == 4 && !strings.Contains(known, "handshake") &&
				strings.Contains(s.client.ClusterInfo(ctx).Val(), "cluster_state:ok")
		})
	}
	must(t, c.replica.client.Do(ctx, "CLUSTER", "REPLICATE", first).Err())
	eventually(t, "the replica follows", c.replica.folder+"/log", func() bool {
		return strings.Contains(c.replica.client.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	c.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, ClusterStateReloadInterval: time.Second})
	t.Cleanup(func() { _ = c.client.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) root() string { return fmt.Sprintf("root-%d", c.roots.Add(1)) }

// rootOn is a root whose keys a master has.
func (c *cluster) rootOn(t *testing.T, master int) string {
	t.Helper()
	for range 1000 {
		root := c.root()
		of, err := c.client.MasterForKey(ctx, "{"+root+"}")
		if err != nil {
			t.Fatal(err)
		}
		if of.Options().Addr == c.masters[master].address {
			return root
		}
	}
	t.Fatalf("no root is on master %d", master)
	return ""
}

// TestCluster: stores on a cluster, each root on the node that its hash tag says, pass the suite, and go on where a node has
// lost its library, where another node is down, and where a replica takes a master's place.
func TestCluster(t *testing.T) {
	for _, program := range programs(t) {
		t.Run(program, func(t *testing.T) {
			c := startCluster(t, program)
			storetest.Run(t, func(t *testing.T) store.Store { return setUp(t, c.client, c.root()) })
			t.Run("EveryMaster", func(t *testing.T) { everyMaster(t, c) })
			t.Run("Failover", func(t *testing.T) { failover(t, c) })
		})
	}
}

// everyMaster: caps of a root each are on all masters, and a master without the library is brought it.
func everyMaster(t *testing.T, c *cluster) {
	for i, master := range c.masters {
		s := setUp(t, c.client, c.rootOn(t, i))
		for n := range int64(2) {
			if reply, err := s.Sync(ctx, "one", ask(2, n, 1)); err != nil || reply.Refused != -1 {
				t.Errorf("master %d: %+v, %v", i, reply, err)
			}
			must(t, master.client.FunctionFlush(ctx).Err())
		}
		if reply, err := s.Sync(ctx, "one", ask(2, 2, 1)); err != nil || reply.Refused != 0 {
			t.Errorf("master %d, beyond the cap: %+v, %v", i, reply, err)
		}
	}
}

// failover: what was granted counts on the replica that takes over. Other masters are used all the while, and brought the
// library.
func failover(t *testing.T, c *cluster) {
	here, there := setUp(t, c.client, c.rootOn(t, 0)), setUp(t, c.client, c.rootOn(t, 1))
	for _, s := range []store.Store{here, there} {
		if _, err := s.Sync(ctx, "one", ask(10, 0, 6)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.masters[0].client.Wait(ctx, 1, 0).Result(); n != 1 || err != nil {
		t.Fatalf("%d replicas have what was written, %v", n, err)
	}
	must(t, c.masters[1].client.FunctionFlush(ctx).Err())
	c.masters[0].kill()
	if reply, err := there.Sync(ctx, "two", ask(10, 0, 4)); err != nil || reply.Refused != -1 {
		t.Errorf("a root on another master, with one down: %+v, %v", reply, err)
	}
	var reply store.Reply
	eventually(t, "the replica takes over", c.replica.folder+"/log", func() bool {
		var err error
		reply, err = here.Sync(ctx, "two", ask(10, 0, 5))
		return err == nil
	})
	if reply.Refused != 0 || reply.Lines[0].Used != 6 {
		t.Errorf("what was granted before the failover does not count: %+v", reply)
	}
}
