package procdeploy

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/matrix-org/complement"
	"github.com/matrix-org/complement/b"
	"github.com/matrix-org/complement/client"
	"github.com/matrix-org/complement/config"
	"github.com/matrix-org/complement/ct"
)

// DeployBlueprint gives one test its own servers, with the users and the application services of the
// blueprint. The shared servers rest until the next Deploy, for both bear the same names.
func DeployBlueprint(t ct.TestLike, blueprint b.Blueprint, cfg *config.Complement) complement.Deployment {
	t.Helper()
	sharedDeployment(t, cfg).stopAll()
	d := &Deployment{
		cfg:        cfg,
		dir:        filepath.Join(sharedCertificates(), fmt.Sprintf("fresh-%d", fresh.Add(1))),
		servers:    map[string]*server{},
		tokens:     map[string]string{},
		ownServers: true,
	}
	for i, homeserver := range blueprint.Homeservers {
		if len(homeserver.Rooms) > 0 {
			ct.Fatalf(t, "procdeploy: blueprint %s: rooms are not supported", blueprint.Name)
		}
		name := fmt.Sprintf("hs%d", i+1)
		if homeserver.Name != name {
			ct.Fatalf(t, "procdeploy: blueprint %s: server %d is called %s", blueprint.Name, i+1, homeserver.Name)
		}
		if err := writeRegistrations(filepath.Join(d.dir, name, "appservice"), homeserver); err != nil {
			ct.Fatalf(t, "procdeploy: %s", err)
		}
		if err := d.ensure(i + 1); err != nil {
			ct.Fatalf(t, "procdeploy: %s", err)
		}
		d.register(t, homeserver)
	}
	return d
}

// register makes the accounts of the blueprint and notes the tokens of its application services.
func (d *Deployment) register(t ct.TestLike, homeserver b.Homeserver) {
	t.Helper()
	for _, user := range homeserver.Users {
		c := d.UnauthenticatedClient(t, homeserver.Name)
		c.UserID, c.AccessToken, c.DeviceID = c.RegisterUser(t, user.Localpart, defaultPassword)
		if user.DisplayName != "" {
			c.MustDo(t, "PUT", []string{"_matrix", "client", "v3", "profile", c.UserID, "displayname"},
				client.WithJSONBody(t, map[string]string{"displayname": user.DisplayName}))
		}
	}
	for _, service := range homeserver.ApplicationServices {
		sender := fmt.Sprintf("@%s:%s", service.SenderLocalpart, d.server(t, homeserver.Name).serverName)
		d.tokens[sender] = service.ASToken
	}
}

// writeRegistrations writes one registration file an application service.
func writeRegistrations(dir string, homeserver b.Homeserver) error {
	for _, service := range homeserver.ApplicationServices {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		registration := fmt.Sprintf(`id: %q
hs_token: %q
as_token: %q
url: %q
sender_localpart: %q
rate_limited: %t
receive_ephemeral: %t
namespaces:
  users: [{exclusive: false, regex: ".*"}]
  rooms: []
  aliases: []
`, service.ID, service.HSToken, service.ASToken, service.URL, service.SenderLocalpart,
			service.RateLimited, service.SendEphemeral)
		if err := os.WriteFile(filepath.Join(dir, service.ID+".yaml"), []byte(registration), 0o644); err != nil {
			return err
		}
	}
	return nil
}
