package gateway

import (
	"fmt"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
)

const (
	configPath = "/etc/gateway/config"
	usersPath  = "/etc/gateway/users"
	tlsPath    = "/etc/gateway/tls"
)

// anonymousIsAsked answers a request without credentials before the login is
// checked: a browser's first request is no failed login, and the counter of these,
// caddy_http_request_duration_seconds_count{code="401",handler="authentication"},
// leaves it out. It does count a 401 that MLflow itself answers.
const anonymousIsAsked = `@anonymous {
		not {
			method GET HEAD
			path /health
		}
		not header Authorization *
	}
	handle @anonymous {
		header WWW-Authenticate "Basic realm=\"MLflow\""
		error 401
	}`

// caddyfile is the gateway's configuration
// (caddyserver.com/docs/caddyfile). It holds no secret: the password hashes are
// imported from a Secret.
func caddyfile(a Args) string {
	// A named route, because Caddy counts its handlers by name and those of a
	// handle block only as subroute.
	login := fmt.Sprintf("&(login) {\n\tbasic_auth bcrypt MLflow {\n\t\timport %s/users\n\t}\n}", usersPath)
	ask, anonymous := "invoke login", anonymousIsAsked
	if !a.Login {
		const none = "# auth.mode is none"
		login, ask, anonymous = none, none, none
	}
	certificates := []string{fmt.Sprintf("tls %s/internal.crt %s/internal.key", tlsPath, tlsPath)}
	if a.Certificate != "" {
		certificates = append(certificates, fmt.Sprintf("tls %s/public.crt %s/public.key", tlsPath, tlsPath))
	}
	return fmt.Sprintf(`{
	# Nothing listens for configuration, and nothing asks for certificates.
	admin off
	persist_config off
	auto_https off
	skip_install_trust
	metrics
	log {
		output stdout
		format json
	}
	servers {
		# HTTP/3 would be announced on a UDP port that nothing exposes.
		protocols h1 h2
		timeouts {
			read_header 10s
			idle 2m
		}
	}
}

%[9]s

(routes) {
	# One line a request, with the user, the route and the status; credentials
	# are redacted.
	log
	header -Server
	# The one way without a login. What matches is the cleaned path: the request
	# goes on as exactly this one, without a body, a query, or who it claims to be.
	@health {
		method GET HEAD
		path /health
	}
	handle @health {
		request_body {
			max_size 1KiB
		}
		rewrite * /health?
		reverse_proxy %[1]s {
			header_up Host %[1]s
			header_up -Authorization
			header_up -X-Remote-User
		}
	}
	%[8]s
	handle {
		# In this order: Caddy's own would look at the size before the login.
		route {
			%[2]s
			# A length that the client states is refused before the upload, so that the
			# answer arrives and nothing is sent in vain; a body without one is cut off.
			request_body {
				max_size %[3]dMiB
			}
			# The bucket is for the server alone: presigned addresses would go around
			# the login, the limit and the log, and name a host that clients do not
			# reach. Clients since MLflow 3.17 ask what the server offers and then use
			# nothing else; here they get the answer of a server that does not say,
			# and an upload that asks regardless falls back to the gateway.
			@offers path /api/3.0/mlflow/server-info
			@presigned path */mlflow-artifacts/mpu/* */mlflow-artifacts/presigned/* */mlflow/artifacts/presigned-*
			@presignedQuery query presigned=*
			header @offers Content-Type application/json
			header @presigned Content-Type application/json
			respond @offers `+"`"+`{"error_code":"ENDPOINT_NOT_FOUND","message":"this gateway does not tell what the server behind it offers"}`+"`"+` 404
			respond @presigned `+"`"+`{"error_code":"NOT_IMPLEMENTED","message":"Multipart upload is not supported for the current artifact repository: artifacts go through this gateway"}`+"`"+` 501
			error @presignedQuery 501
			reverse_proxy %[1]s {
				# MLflow answers to one Host only; the user is known here and the
				# password goes no further.
				header_up Host %[1]s
				header_up X-Remote-User {http.auth.user.id}
				header_up -Authorization
				# A pod that just went away refuses connections: try the next one.
				lb_try_duration 30s
				lb_try_interval 250ms
				flush_interval -1
				transport http {
					dial_timeout 3s
					keepalive 30s
				}
			}
		}
	}
	handle_errors 413 {
		header Content-Type application/json
		respond `+"`"+`{"error_code":"INVALID_PARAMETER_VALUE","message":"the upload is larger than %[3]d MiB, the limit of this gateway (artifacts.maxUploadMiB)"}`+"`"+` 413
	}
	handle_errors 401 {
		header Content-Type application/json
		respond `+"`"+`{"error_code":"UNAUTHENTICATED","message":"log in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"}`+"`"+` 401
	}
	handle_errors 502 503 504 {
		header Content-Type application/json
		respond `+"`"+`{"error_code":"TEMPORARILY_UNAVAILABLE","message":"the tracking server does not answer; it may be restarting or upgrading"}`+"`"+` {err.status_code}
	}
}

:%[4]d {
	%[5]s
	import routes
}

:%[6]d {
	import routes
}

:%[7]d {
	metrics /metrics
	respond /healthz 200
}
`, a.Upstream, ask, a.MaxUploadMiB,
		netpol.GatewayHTTPS.Number, strings.Join(certificates, "\n\t"), netpol.GatewayHTTP.Number, netpol.GatewayMetrics.Number,
		anonymous, login)
}
