{{/* Labels and small facts. `pod` below is: root (the chart's scope), name, service (its values), role (http, worker or test). */}}

{{- define "sg.tpl" -}}
{{- tpl (default "" .value) .root -}}
{{- end }}

{{- define "sg.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/part-of: silver-guardian
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "sg.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "sg.labels" -}}
{{ include "sg.commonLabels" .root }}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* Name of a Deployment: the service's, with -worker for the queue door. */}}
{{- define "sg.workload" -}}
{{ .name }}{{ if eq .role "worker" }}-worker{{ end }}
{{- end }}

{{/* What the values say of the account of a role: a test has the server's. */}}
{{- define "sg.account" -}}
{{- index .service.serviceAccounts (eq .role "worker" | ternary "worker" "http") | toJson -}}
{{- end }}

{{- define "sg.serviceAccount" -}}
{{- $account := include "sg.account" . | fromJson -}}
{{ default (include "sg.workload" .) $account.name }}
{{- end }}

{{- define "sg.image" -}}
{{- $registry := include "sg.tpl" (dict "root" .root "value" .root.Values.image.registry) -}}
{{- with $registry }}{{ . }}/{{ end -}}
{{ .service.image.repository }}
{{- if .service.image.digest }}@{{ .service.image.digest }}{{ else }}:{{ default .root.Chart.AppVersion .root.Values.image.tag }}{{ end }}
{{- end }}

{{- define "sg.bucket" -}}
{{ include "sg.tpl" (dict "root" . "value" .Values.storage.bucket) }}
{{- end }}

{{/* Roles of a service: http always, worker where it has a queue. JSON, since a template returns text. */}}
{{- define "sg.roles" -}}
{{- if .service.queueUrl }}["http","worker"]{{ else }}["http"]{{ end -}}
{{- end }}

{{/* Pods of a Deployment as a number, or nothing where an autoscaler owns them. */}}
{{- define "sg.replicas" -}}
{{- $modes := .root.Values.autoscaling.modes -}}
{{- if eq .role "worker" }}
{{- if not (has "keda-sqs" $modes) }}{{ .root.Values.worker.replicas }}{{ end }}
{{- else if not (or (has "keda-http" $modes) (has "keda-cpu" $modes)) }}{{ .root.Values.http.replicas }}
{{- end }}
{{- end }}

{{/* Whether there may be jobs: one belongs to the pod that took it, so there must be exactly one, which no autoscaler ends. */}}
{{- define "sg.jobs" -}}
{{- if eq (include "sg.replicas" (dict "root" . "role" "http")) "1" }}true{{ end }}
{{- end }}

{{/*
The other service, which a server may ask about the other half of a file, as JSON {name, port}: empty where none is certain
to answer, or where the service's own environment says whom it asks.
*/}}
{{- define "sg.peer" -}}
{{- $replicas := include "sg.replicas" (dict "root" .root "role" "http") -}}
{{- $answers := or (has "keda-cpu" .root.Values.autoscaling.modes) (not (has $replicas (list "" "0"))) -}}
{{- $peer := dict -}}
{{- if and .root.Values.http.peers $answers (not (hasKey .service.env "SG_PEER_URL")) -}}
{{- range $name, $service := .root.Values.services -}}
{{- if and $service.enabled (ne $name $.name) }}{{ $peer = dict "name" $name "port" $service.port }}{{ end -}}
{{- end -}}
{{- end -}}
{{ $peer | toJson }}
{{- end }}

{{/* Whether `helm test` must bring its own server, since no server is certain to run. */}}
{{- define "sg.testBringsServer" -}}
{{- $replicas := include "sg.replicas" (dict "root" . "role" "http") -}}
{{- if or (eq $replicas "") (eq $replicas "0") }}true{{ end }}
{{- end }}

{{- define "sg.httpHost" -}}
{{- $host := include "sg.tpl" (dict "root" .root "value" (index .root.Values.autoscaling.http.hosts .name)) -}}
{{ default (printf "%s.%s" .name .root.Release.Namespace) $host }}
{{- end }}

{{- define "sg.terminationSeconds" -}}
{{- with .root.Values.shutdown -}}
{{ add (ternary .preStopSeconds 0 (ne $.role "worker")) .drainSeconds .graceSeconds .marginSeconds }}
{{- end }}
{{- end }}

{{- define "sg.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "sg.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}
