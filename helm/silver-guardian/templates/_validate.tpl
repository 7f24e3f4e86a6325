{{/* What the schema cannot say in a sentence. Each failure tells what to change. */}}
{{- define "sg.validate" -}}
{{- $modes := .Values.autoscaling.modes -}}
{{- if and (has "none" $modes) (gt (len $modes) 1) }}
{{- fail "autoscaling.modes: none stands alone; leave it out, or leave out the others" }}
{{- end }}
{{- if and (has "keda-http" $modes) (has "keda-cpu" $modes) }}
{{- fail "autoscaling.modes: keda-http and keda-cpu would both scale the HTTP Deployments, and KEDA refuses a second ScaledObject for one Deployment; choose one" }}
{{- end }}
{{- if and (has "keda-cpu" $modes) (lt (int .Values.autoscaling.cpu.minReplicas) 1) }}
{{- fail "autoscaling.cpu.minReplicas must be at least 1: KEDA refuses a ScaledObject that has only a cpu trigger and a minimum of 0, since no pod runs whose load could start the first; to scale to zero use keda-http or keda-sqs" }}
{{- end }}
{{- range $what := list "sqs" "http" "cpu" }}
{{- $scaling := index $.Values.autoscaling $what }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
{{- fail (printf "autoscaling.%s: minReplicas must be at most maxReplicas, or KEDA refuses the ScaledObject" $what) }}
{{- end }}
{{- end }}
{{- range .Values.autoscaling.sqs.extraTriggers }}
{{- if and (has .type (list "cpu" "memory")) (not .metricType) (not (dig "metadata" "type" "" .)) }}
{{- fail (printf "autoscaling.sqs.extraTriggers: a %s trigger needs metricType Utilization or AverageValue, or KEDA refuses it" .type) }}
{{- end }}
{{- end }}
{{- if .Values.ingress.enabled }}
{{- if has "keda-http" $modes }}
{{- fail "ingress.enabled: with keda-http callers must pass the interceptor, which lies in KEDA's namespace, and an Ingress reaches Services of its own alone; make one there, to keda-add-ons-http-interceptor-proxy:8080 (docs/ingress.md)" }}
{{- end }}
{{- if and (not (has "keda-cpu" $modes)) (lt (int .Values.http.replicas) 1) }}
{{- fail "ingress.enabled: no server would answer; set http.replicas to 1 or more, or use keda-cpu" }}
{{- end }}
{{- if not .Values.apiKeys.existingSecret }}
{{- fail "ingress.enabled: name a Secret with keys in apiKeys.existingSecret, or anybody who reaches the Ingress may use the services" }}
{{- end }}
{{- end }}
{{- range $name, $service := .Values.services }}
{{- if $service.enabled }}
{{- if and (has (toString (dig "SG_JOBS" "off" $service.env) | lower) (list "on" "true" "yes" "1")) (not (include "sg.jobs" $)) }}
{{- fail (printf "services.%s.env.SG_JOBS: a job is known to the pod alone that took it; set http.replicas to 1, without keda-http and keda-cpu, or leave it out" $name) }}
{{- end }}
{{- if and $.Values.ingress.enabled (not (index $.Values.ingress.hosts $name)) }}
{{- fail (printf "ingress.hosts.%s is needed: both services answer /analyze, so each has a host name of its own" $name) }}
{{- end }}
{{- if and (has "keda-sqs" $modes) (not $service.queueUrl) }}
{{- fail (printf "services.%s.queueUrl is needed with keda-sqs: KEDA scales from zero only by an event source, which is the queue's depth" $name) }}
{{- end }}
{{- if and $service.queueUrl (not $.Values.storage.bucket) }}
{{- fail (printf "storage.bucket is needed: the worker of services.%s keeps its results there" $name) }}
{{- end }}
{{- if and $service.queueUrl (not $.Values.aws.region) }}
{{- fail (printf "aws.region is needed: the queue of services.%s lies in it" $name) }}
{{- end }}
{{- if and (eq $service.model.source "pvc") (not $service.model.pvc.claimName) }}
{{- fail (printf "services.%s.model.pvc.claimName is needed with source pvc" $name) }}
{{- end }}
{{- if and (eq $service.model.source "s3") (not (hasPrefix "s3://" $service.model.s3.uri)) }}
{{- fail (printf "services.%s.model.s3.uri must be s3://bucket/prefix/ with source s3" $name) }}
{{- end }}
{{- $seconds := int (include "sg.terminationSeconds" (dict "root" $ "role" "http")) }}
{{- if gt $seconds 100 }}
{{- fail (printf "shutdown: the seconds add up to %d; a Spot node goes 120 s after its notice, of which about 20 pass before its pods are told, so stay within 100" $seconds) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
