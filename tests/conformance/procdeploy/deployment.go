// Package procdeploy runs Complement's homeservers as plain processes on loopback instead of containers.
//
// The tests of a package share one deployment, which grows to as many servers as a test asks for
// (Complement calls this "dirty"). Tests that ask for a blueprint get fresh servers of their own,
// under the same names: the shared ones are stopped meanwhile and keep their data.
//
// Environment:
//
//	PROCDEPLOY_LAUNCHER      program that becomes a homeserver; see server.go for its arguments
//	PROCDEPLOY_LAUNCHER_HS2  (HS1, HS3, ...) another launcher for one server
//	PROCDEPLOY_NAMES         "hosts": names hs1, hs2, ... on 127.0.0.2, 127.0.0.3, ..., ports 8008 and 8448
//	                         "ports": names localhost:PORT on free ports of 127.0.0.1
//	PROCDEPLOY_DIR           directory for the servers' data and logs
//	PROCDEPLOY_MIN_SERVERS   tests that ask for fewer servers are skipped
package procdeploy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/matrix-org/complement"
	"github.com/matrix-org/complement/client"
	"github.com/matrix-org/complement/config"
	"github.com/matrix-org/complement/ct"
	"github.com/matrix-org/complement/helpers"
	"github.com/matrix-org/gomatrixserverlib/spec"
)

const (
	// defaultPassword is what Complement's own deployment uses when a test names none.
	defaultPassword = "complement_meets_min_password_req"
	// syncUntilTimeout bounds how long a test waits for something to come down /sync.
	syncUntilTimeout = 5 * time.Second
)

// Deployment is a set of running homeservers; it satisfies complement.Deployment.
type Deployment struct {
	cfg *config.Complement
	// dir holds one directory a server, and the run's certificate authority.
	dir     string
	mu      sync.Mutex
	servers map[string]*server
	// tokens are the access tokens of application services by the user ID of their sender.
	tokens map[string]string
	// ownServers is set when the servers live for one test only.
	ownServers bool
	users      atomic.Int64
}

var (
	shared     *Deployment
	sharedOnce sync.Once
	// fresh counts the deployments that were made for one test, to tell their directories apart.
	fresh atomic.Int64
)

// Deploy returns the package's shared deployment with at least numServers servers running.
// It has the signature that complement.WithDeployment wants.
func Deploy(t ct.TestLike, numServers int, cfg *config.Complement) complement.Deployment {
	t.Helper()
	if least, _ := strconv.Atoi(os.Getenv("PROCDEPLOY_MIN_SERVERS")); numServers < least {
		t.Skipf("needs %d servers only", numServers)
	}
	d := sharedDeployment(t, cfg)
	for i := 1; i <= numServers; i++ {
		if err := d.ensure(i); err != nil {
			ct.Fatalf(t, "procdeploy: %s", err)
		}
	}
	return d
}

// Cleanup stops every server. It has the signature that complement.WithCleanup wants.
func Cleanup(*config.Complement) {
	if shared != nil {
		shared.stopAll()
	}
}

func sharedDeployment(t ct.TestLike, cfg *config.Complement) *Deployment {
	t.Helper()
	sharedOnce.Do(func() {
		dir := os.Getenv("PROCDEPLOY_DIR")
		if err := writeAuthority(dir, cfg); err != nil {
			ct.Fatalf(t, "procdeploy: %s", err)
		}
		shared = &Deployment{cfg: cfg, dir: dir, servers: map[string]*server{}}
	})
	return shared
}

// writeAuthority stores the certificate authority that Complement made for this run.
func writeAuthority(dir string, cfg *config.Complement) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	certificate, err := cfg.CACertificateBytes()
	if err != nil {
		return err
	}
	key, err := cfg.CAPrivateKeyBytes()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), certificate, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ca.key"), key, 0o600)
}

// ensure makes server number i run, whatever an earlier test did to it.
func (d *Deployment) ensure(i int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := fmt.Sprintf("hs%d", i)
	if d.servers[name] == nil {
		s, err := newServer(i, filepath.Join(d.dir, name), sharedCertificates(), d.cfg.SpawnHSTimeout)
		if err != nil {
			return err
		}
		d.servers[name] = s
	}
	return d.servers[name].ensureRunning()
}

// sharedCertificates is the directory with ca.crt and ca.key.
func sharedCertificates() string { return os.Getenv("PROCDEPLOY_DIR") }

func (d *Deployment) stopAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.servers {
		s.stop()
	}
}

func (d *Deployment) server(t ct.TestLike, name string) *server {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.servers[name]
	if s == nil {
		ct.Fatalf(t, "procdeploy: no homeserver %q in this deployment", name)
	}
	return s
}

// GetFullyQualifiedHomeserverName gives the Matrix server name behind the alias hs1, hs2, ...
func (d *Deployment) GetFullyQualifiedHomeserverName(t ct.TestLike, name string) spec.ServerName {
	t.Helper()
	return spec.ServerName(d.server(t, name).serverName)
}

// UnauthenticatedClient is a client without an account.
func (d *Deployment) UnauthenticatedClient(t ct.TestLike, name string) *client.CSAPI {
	t.Helper()
	return client.NewCSAPI(client.CSAPIOpts{
		BaseURL:          d.server(t, name).clientURL(),
		Client:           client.NewLoggedClient(t, name, nil),
		SyncUntilTimeout: syncUntilTimeout,
		Debug:            d.cfg.DebugLoggingEnabled,
	})
}

// Register makes a new account and returns its client.
func (d *Deployment) Register(t ct.TestLike, name string, opts helpers.RegistrationOpts) *client.CSAPI {
	t.Helper()
	c := d.UnauthenticatedClient(t, name)
	c.Password = opts.Password
	if c.Password == "" {
		c.Password = defaultPassword
	}
	localpart := fmt.Sprintf("user-%d", d.users.Add(1))
	if opts.LocalpartSuffix != "" {
		localpart += "-" + opts.LocalpartSuffix
	}
	if opts.IsAdmin {
		c.UserID, c.AccessToken, c.DeviceID = c.RegisterSharedSecret(t, localpart, c.Password, true)
	} else {
		c.UserID, c.AccessToken, c.DeviceID = c.RegisterUser(t, localpart, c.Password)
	}
	return c
}

// Login gives another device of an existing account.
func (d *Deployment) Login(t ct.TestLike, name string, existing *client.CSAPI, opts helpers.LoginOpts) *client.CSAPI {
	t.Helper()
	c := d.UnauthenticatedClient(t, name)
	c.Password = existing.Password
	if opts.Password != "" {
		c.Password = opts.Password
	}
	var extra []client.LoginOpt
	if opts.DeviceID != "" {
		extra = append(extra, client.WithDeviceID(opts.DeviceID))
	}
	localpart, _, _ := strings.Cut(strings.TrimPrefix(existing.UserID, "@"), ":")
	c.UserID, c.AccessToken, c.DeviceID = c.LoginUser(t, localpart, c.Password, extra...)
	return c
}

// AppServiceUser is a client that speaks as the sender of an application service of the blueprint.
func (d *Deployment) AppServiceUser(t ct.TestLike, name, userID string) *client.CSAPI {
	t.Helper()
	token := d.tokens[userID]
	if token == "" {
		ct.Fatalf(t, "procdeploy: %s is no application service's user in this deployment", userID)
	}
	c := d.UnauthenticatedClient(t, name)
	c.UserID, c.AccessToken = userID, token
	return c
}

// Restart stops and starts every server.
func (d *Deployment) Restart(t ct.TestLike) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.servers {
		s.stop()
		if err := s.start(); err != nil {
			return err
		}
	}
	return nil
}

// StopServer ends a server's process; its data stay.
func (d *Deployment) StopServer(t ct.TestLike, name string) {
	t.Helper()
	d.server(t, name).stop()
}

// StartServer starts a server that StopServer ended.
func (d *Deployment) StartServer(t ct.TestLike, name string) {
	t.Helper()
	if err := d.server(t, name).start(); err != nil {
		ct.Fatalf(t, "procdeploy: %s", err)
	}
}

// PauseServer suspends a server's processes: connections to it hang.
func (d *Deployment) PauseServer(t ct.TestLike, name string) {
	t.Helper()
	d.server(t, name).pause()
}

// UnpauseServer lets a suspended server go on.
func (d *Deployment) UnpauseServer(t ct.TestLike, name string) {
	t.Helper()
	d.server(t, name).unpause()
}

// ContainerID is the process ID of a server, which has no container.
func (d *Deployment) ContainerID(t ct.TestLike, name string) string {
	t.Helper()
	return strconv.Itoa(d.server(t, name).pid())
}

// Destroy ends servers that were made for one test; shared ones live on.
func (d *Deployment) Destroy(ct.TestLike) {
	if d.ownServers {
		d.stopAll()
	}
}

// GetConfig is Complement's configuration of this run.
func (d *Deployment) GetConfig() *config.Complement { return d.cfg }

// Network is a container network's name: there is none.
func (d *Deployment) Network() string { return "" }

// RoundTripper sends requests for a server name to that server's federation port.
func (d *Deployment) RoundTripper() http.RoundTripper { return federationTransport{d} }
