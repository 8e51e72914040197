package procdeploy

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	clientPort     = 8008
	federationPort = 8448
	// stopTimeout is how long a server may take to end after SIGTERM.
	stopTimeout = 10 * time.Second
)

// server is one homeserver process, run as
//
//	LAUNCHER DIR SERVER_NAME BIND_IP CLIENT_PORT FEDERATION_PORT CA_CERTIFICATE CA_KEY
//
// The launcher must serve http on BIND_IP:CLIENT_PORT and https on BIND_IP:FEDERATION_PORT with a
// certificate that the authority signed, trust that authority alone for calls out, load DIR/appservice/*.yaml,
// keep its data in DIR over restarts, and end on SIGTERM.
type server struct {
	alias, serverName      string
	dir, ip, authority     string
	clientPort, federation int
	spawnTimeout           time.Duration

	process *exec.Cmd
	// exited is closed when process has ended; nil while the server was never started.
	exited chan struct{}
	paused bool
}

func newServer(number int, dir, authority string, spawnTimeout time.Duration) (*server, error) {
	s := &server{
		alias: fmt.Sprintf("hs%d", number), dir: dir, authority: authority, spawnTimeout: spawnTimeout,
	}
	if os.Getenv("PROCDEPLOY_NAMES") == "hosts" {
		s.ip, s.clientPort, s.federation = fmt.Sprintf("127.0.0.%d", number+1), clientPort, federationPort
		s.serverName = s.alias
	} else {
		ports, err := freePorts(2)
		if err != nil {
			return nil, err
		}
		s.ip, s.clientPort, s.federation = "127.0.0.1", ports[0], ports[1]
		s.serverName = fmt.Sprintf("localhost:%d", s.federation)
	}
	return s, os.MkdirAll(dir, 0o755)
}

// clientURL is the base URL of the client-server API.
func (s *server) clientURL() string { return fmt.Sprintf("http://%s:%d", s.ip, s.clientPort) }

func (s *server) pid() int { return s.process.Process.Pid }

// running says whether the process lives. A process that ended by itself is not running either.
func (s *server) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// ensureRunning undoes what an earlier test did: a server that was stopped, suspended or that fell over.
func (s *server) ensureRunning() error {
	if !s.running() {
		return s.start()
	}
	if s.paused {
		s.unpause()
	}
	return nil
}

// start launches the process and returns when it answers.
func (s *server) start() error {
	output, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	launcher := os.Getenv("PROCDEPLOY_LAUNCHER_" + strings.ToUpper(s.alias))
	if launcher == "" {
		launcher = os.Getenv("PROCDEPLOY_LAUNCHER")
	}
	cmd := exec.Command(launcher, s.dir, s.serverName, s.ip, strconv.Itoa(s.clientPort), strconv.Itoa(s.federation),
		filepath.Join(s.authority, "ca.crt"), filepath.Join(s.authority, "ca.key"))
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	s.process, s.exited, s.paused = cmd, exited, false
	// The runner ends what is left by this file when the tests' own process dies.
	pid := []byte(strconv.Itoa(s.pid()))
	if err := os.WriteFile(s.pidFile(), pid, 0o644); err != nil {
		return err
	}
	for time.Since(begun) < s.spawnTimeout {
		if !s.running() {
			return fmt.Errorf("%s ended at its start, see %s", s.alias, output.Name())
		}
		if s.answers() {
			log.Printf("procdeploy: %s (%s) up in %s", s.alias, s.serverName, time.Since(begun).Round(time.Millisecond))
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.stop()
	return fmt.Errorf("%s not up within %s, see %s", s.alias, s.spawnTimeout, output.Name())
}

// answers says whether both ports serve: the client API by a request, federation by a connection.
func (s *server) answers() bool {
	prober := http.Client{Timeout: 5 * time.Second}
	response, err := prober.Get(s.clientURL() + "/_matrix/client/versions")
	if err != nil {
		return false
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false
	}
	connection, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", s.ip, s.federation), time.Second)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

// stop ends the process group: by SIGTERM, and by SIGKILL when that does not help in time.
func (s *server) stop() {
	if !s.running() {
		return
	}
	s.unpause()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		log.Printf("procdeploy: %s did not end on SIGTERM", s.alias)
	}
	// Also ends children that the launcher left behind.
	s.signal(syscall.SIGKILL)
	<-s.exited
	_ = os.Remove(s.pidFile())
}

func (s *server) pidFile() string { return filepath.Join(s.dir, "pid") }

func (s *server) pause() {
	s.signal(syscall.SIGSTOP)
	s.paused = true
}

func (s *server) unpause() {
	s.signal(syscall.SIGCONT)
	s.paused = false
}

// signal reaches the whole process group; a group that is gone already is fine.
func (s *server) signal(signal syscall.Signal) { _ = syscall.Kill(-s.pid(), signal) }

// freePorts finds ports that nobody listens on, all different.
func freePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
