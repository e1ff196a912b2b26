{{- define "intercomd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "intercomd.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := include "intercomd.name" . }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "intercomd.selector" -}}
app.kubernetes.io/name: {{ include "intercomd.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "intercomd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "intercomd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "intercomd.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "intercomd.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "intercomd.settings" -}}
{{ .Values.settings | trim }}

[ingest]
listen = ["0.0.0.0:50051"]
{{- if .Values.insecure }}
insecure = true
{{- end }}
{{- with .Values.tls.secretName }}

[ingest.tls]
certificate_file = "/run/secrets/tls/tls.crt"
key_file = "/run/secrets/tls/tls.key"
{{- if $.Values.tls.clientCa }}
client_ca_file = "/run/secrets/tls/ca.crt"
{{- end }}
{{- end }}

[health]
listen = ["0.0.0.0:9092"]
{{- if .Values.upstream.target }}
{{- $upstream := .Values.upstream }}

[upstream]
target = {{ $upstream.target | quote }}
{{- with $upstream.operationsTarget }}
operations_target = {{ . | quote }}
{{- end }}
{{- if $upstream.tokenSecret }}
token_file = "/run/secrets/upstream/token"
{{- end }}
{{- if $upstream.insecure }}
insecure = true
{{- end }}
{{- if or $upstream.tls.secretName $upstream.tls.serverName }}

[upstream.tls]
{{- if $upstream.tls.secretName }}
ca_file = "/run/secrets/upstream-tls/ca.crt"
{{- if $upstream.tls.clientCertificate }}
certificate_file = "/run/secrets/upstream-tls/tls.crt"
key_file = "/run/secrets/upstream-tls/tls.key"
{{- end }}
{{- end }}
{{- with $upstream.tls.serverName }}
server_name = {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $connection := .Values.connections }}

[connections.{{ $name }}]
{{- with $connection.appId }}
app_id = {{ . | quote }}
{{- end }}
{{- if $connection.tokenSecret }}
access_token_file = "/run/secrets/connections/{{ $name }}/token"
{{- end }}
{{- with $connection.settings }}
{{ . | trim }}
{{- end }}
{{- end }}
{{- range $name, $caller := .Values.callers }}

[callers.{{ $name }}]
{{- if $caller.tokenSecret }}
token_file = "/run/secrets/callers/{{ $name }}/token"
{{- end }}
{{- with $caller.settings }}
{{ . | trim }}
{{- end }}
{{- end }}
{{- end }}
