package procdeploy

import (
	"crypto/tls"
	"fmt"
	"net/http"
)

// federationTransport maps server names to the addresses where the deployment's servers listen.
// Any other name is one of Complement's mock servers, which live on this machine.
type federationTransport struct{ deployment *Deployment }

// RoundTrip satisfies http.RoundTripper.
func (f federationTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request.URL.Scheme = "https"
	name := request.URL.Hostname()
	if name == f.deployment.cfg.HostnameRunningComplement {
		request.URL.Host = "localhost:" + request.URL.Port()
	}
	f.deployment.mu.Lock()
	for _, s := range f.deployment.servers {
		if request.URL.Host == s.serverName || request.URL.Host == s.alias {
			request.URL.Host = fmt.Sprintf("%s:%d", s.ip, s.federation)
		}
	}
	f.deployment.mu.Unlock()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{ServerName: name, InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	return transport.RoundTrip(request)
}
