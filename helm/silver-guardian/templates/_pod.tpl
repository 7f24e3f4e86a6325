{{/* The container that runs a service: as server, as worker, or as the server beside a test. */}}
{{- define "sg.container" -}}
name: {{ .name }}
image: {{ include "sg.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [python, -m, {{ .service.module }}, {{ eq .role "worker" | ternary "worker" "serve" }}]
ports:
  - name: http
    containerPort: {{ .service.port }}
env:
  {{- include "sg.env" . | nindent 2 }}
resources:
  {{- toYaml .service.resources | nindent 2 }}
# Loading the model and its self-test may take this long; then the other two take over.
startupProbe:
  httpGet: {path: /ready, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet: {path: /ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if eq .role "http" }}
lifecycle:
  preStop:
    exec:
      command: [sleep, {{ .root.Values.shutdown.preStopSeconds | quote }}]
{{- end }}
securityContext:
  {{- include "sg.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - {name: work, mountPath: /work}
  - {name: tmp, mountPath: /tmp}
  {{- if ne .service.model.source "image" }}
  - {name: model, mountPath: /model, readOnly: true}
  {{- end }}
{{- end }}

{{- define "sg.env" -}}
- {name: SG_HOST, value: 0.0.0.0}
- {name: SG_PORT, value: {{ .service.port | quote }}}
- {name: SG_WORK_DIR, value: /work}
- {name: SG_DRAIN_SECONDS, value: {{ .root.Values.shutdown.drainSeconds | quote }}}
- {name: SG_GRACE_SECONDS, value: {{ .root.Values.shutdown.graceSeconds | quote }}}
- {name: SG_MAX_WAITING, value: {{ .root.Values.http.maxWaiting | quote }}}
{{- if and (eq .role "http") (not (hasKey .service.env "SG_JOBS")) (not (include "sg.jobs" .root)) }}
- {name: SG_JOBS, value: "off"}
{{- end }}
{{- if eq .role "http" }}
{{- with include "sg.peer" . | fromJson }}
- {name: SG_PEER_URL, value: {{ printf "http://%s:%v" .name .port | quote }}}
{{- end }}
{{- end }}
{{- $allow := list }}
{{- with include "sg.bucket" .root }}
{{- $allow = append $allow (printf "%s/%s" . (trimSuffix "/" $.root.Values.storage.uploadsPrefix)) }}
{{- end }}
{{- range .root.Values.storage.allow }}
{{- $allow = append $allow (tpl . $.root) }}
{{- end }}
{{- with $allow }}
- {name: SG_S3_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- if eq .service.model.source "pvc" }}
- {name: SG_MODEL_DIR, value: {{ printf "/model/%s" .service.model.pvc.path | trimSuffix "/" | quote }}}
{{- else if eq .service.model.source "s3" }}
- {name: SG_MODEL_DIR, value: /model}
{{- end }}
{{- if eq .role "worker" }}
- {name: SG_QUEUE_URL, value: {{ include "sg.tpl" (dict "root" .root "value" .service.queueUrl) | quote }}}
- {name: SG_RESULTS_PREFIX, value: {{ .root.Values.storage.resultsPrefix | quote }}}
{{- end }}
{{- if and .root.Values.apiKeys.existingSecret (ne .role "worker") }}
- name: SG_API_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.apiKeys.existingSecret }}
      key: {{ .root.Values.apiKeys.secretKey }}
{{- end }}
{{- include "sg.awsEnv" . }}
{{- range $key, $value := .service.env }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "sg.awsEnv" -}}
{{- with .root.Values.aws.region }}
- {name: AWS_REGION, value: {{ . | quote }}}
- {name: AWS_DEFAULT_REGION, value: {{ . | quote }}}
{{- end }}
{{- with .root.Values.aws.endpointUrl }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{/* Everything of a pod but its containers: where it runs, as whom, and its volumes. */}}
{{- define "sg.podBase" -}}
serviceAccountName: {{ include "sg.serviceAccount" . }}
# IRSA brings a token of its own; Kubernetes' API is none of the services' business.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "sg.podSecurityContext" . | nindent 2 }}
{{- with .root.Values.scheduling.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ include "sg.terminationSeconds" . }}
volumes:
  - name: work
    emptyDir:
      sizeLimit: {{ .service.workDir.sizeLimit }}
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- if eq .service.model.source "pvc" }}
  - name: model
    persistentVolumeClaim:
      claimName: {{ .service.model.pvc.claimName }}
      readOnly: true
  {{- else if eq .service.model.source "s3" }}
  - name: model
    emptyDir:
      sizeLimit: {{ .service.model.s3.sizeLimit }}
  - name: scripts
    configMap:
      name: {{ .name }}-scripts
  {{- end }}
{{- end }}

{{/* Fetches the bundle; the service itself checks its hashes before it serves it. */}}
{{- define "sg.fetchModel" -}}
name: fetch-model
image: {{ include "sg.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [python, /scripts/fetch_model.py, {{ include "sg.tpl" (dict "root" .root "value" .service.model.s3.uri) | quote }}, /model]
{{- with include "sg.awsEnv" . }}
env:
  {{- . | nindent 2 }}
{{- end }}
resources:
  requests: {cpu: 100m, memory: 128Mi}
  limits: {cpu: "1", memory: 512Mi}
securityContext:
  {{- include "sg.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - {name: model, mountPath: /model}
  - {name: tmp, mountPath: /tmp}
  - {name: scripts, mountPath: /scripts, readOnly: true}
{{- end }}

{{- define "sg.podAnnotations" -}}
# Without it the cluster autoscaler keeps a node for the sake of work files that nobody will read again.
cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: {{ eq .service.model.source "s3" | ternary "work,tmp,model" "work,tmp" }}
{{- if eq .service.model.source "s3" }}
checksum/scripts: {{ .root.Files.Get "files/fetch_model.py" | sha256sum }}
{{- end }}
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
