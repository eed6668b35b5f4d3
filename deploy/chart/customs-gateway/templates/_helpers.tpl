{{- define "gateway.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "gateway.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "gateway.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Not the gateway's own: its services must not choose consoles. */}}
{{- define "gateway.console.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}-console
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.console.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "gateway.console.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "gateway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{/* The pod, of a StatefulSet and of a Deployment alike. */}}
{{- define "gateway.pod" -}}
metadata:
  labels:
    {{- include "gateway.labels" . | nindent 4 }}
  annotations:
    checksum/settings: {{ .Values.settings | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "gateway.fullname" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.stopGraceSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  initContainers:
    # Kubernetes mounts a Secret readable by the group; the node takes no key that others can read.
    - name: secrets
      image: {{ include "gateway.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: ["/bin/sh", "-euc"]
      args:
        - |
          for kind in tls keys; do
            mkdir -p -m 700 "/run/gateway/$kind"
            for file in "/secrets/$kind"/*; do install -m 600 "$file" "/run/gateway/$kind/"; done
          done
      {{- include "gateway.confined" . | nindent 6 }}
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {memory: 64Mi}
      volumeMounts:
        - {name: run, mountPath: /run/gateway}
        - {name: tls, mountPath: /secrets/tls, readOnly: true}
        - {name: keys, mountPath: /secrets/keys, readOnly: true}
    {{- with .Values.firstStart }}
    - name: first-start
      image: {{ include "gateway.image" $ }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      args: ["prepare", "--{{ . }}", "--if-empty", "--config", "/etc/gateway/gateway.toml"]
      {{- if eq $.Values.database.kind "postgresql" }}
      env:
        - name: GATEWAY_DATABASE_URL
          valueFrom:
            secretKeyRef: {name: {{ $.Values.database.secret }}, key: url}
      {{- end }}
      {{- include "gateway.confined" $ | nindent 6 }}
      resources:
        requests: {cpu: 100m, memory: 128Mi}
        limits: {memory: 512Mi}
      volumeMounts:
        - {name: settings, mountPath: /etc/gateway/gateway.toml, subPath: gateway.toml, readOnly: true}
        - {name: directory, mountPath: /etc/gateway/directory, readOnly: true}
        - {name: run, mountPath: /run/gateway, readOnly: true}
        - {name: data, mountPath: /var/lib/gateway/data}
        - {name: tmp, mountPath: /tmp}
    {{- end }}
  containers:
    - name: gateway
      image: {{ include "gateway.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["serve", "--config", "/etc/gateway/gateway.toml"]
      env:
        - {name: GATEWAY_PEER_BIND, value: "0.0.0.0:7443"}
        - {name: GATEWAY_LOCAL_BIND, value: "0.0.0.0:7444"}
        - {name: GATEWAY_METRICS_BIND, value: "0.0.0.0:{{ .Values.metrics.port }}"}
        - {name: GATEWAY_LOG_FORMAT, value: json}
        {{- if eq .Values.database.kind "postgresql" }}
        - name: GATEWAY_DATABASE_URL
          valueFrom:
            secretKeyRef: {name: {{ .Values.database.secret }}, key: url}
        {{- end }}
      ports:
        - {name: peer, containerPort: 7443}
        - {name: local, containerPort: 7444}
        - {name: metrics, containerPort: {{ .Values.metrics.port }}}
      startupProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- include "gateway.confined" . | nindent 6 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: settings, mountPath: /etc/gateway/gateway.toml, subPath: gateway.toml, readOnly: true}
        - {name: directory, mountPath: /etc/gateway/directory, readOnly: true}
        - {name: run, mountPath: /run/gateway, readOnly: true}
        - {name: data, mountPath: /var/lib/gateway/data}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: settings
      configMap: {name: {{ include "gateway.fullname" . }}}
    - name: directory
      configMap: {name: {{ required "directory.configMap: name the ConfigMap with directory.note" .Values.directory.configMap }}}
    - name: tls
      secret: {secretName: {{ required "secrets.tls: name the Secret with gateway.pem, gateway.key, ca.pem" .Values.secrets.tls }}, defaultMode: 0440}
    - name: keys
      secret: {secretName: {{ required "secrets.keys: name the Secret with log.pem and receipts.pem" .Values.secrets.keys }}, defaultMode: 0440}
    - name: run
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- if eq .Values.database.kind "postgresql" }}
    - name: data
      {{- if .Values.persistence.existingClaim }}
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim }}}
      {{- else }}
      emptyDir: {sizeLimit: 1Gi}
      {{- end }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- else }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "gateway.selector" . | nindent 10 }}
  {{- end }}
{{- end }}

{{- define "gateway.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: ["ALL"]}
{{- end }}
