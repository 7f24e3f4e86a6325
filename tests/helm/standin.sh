#!/usr/bin/env bash
# Stands before a tool on the PATH of the deployment's tests: notes the call, fails where told to, and passes the rest on.
#
# CALLS: the file of calls. FAIL_ON: a pattern of "tool arguments"; such a call fails. REAL_PATH: where the tools are.
# CLUSTER_URL: the API server that stands in for EKS's. Only what cannot exist here is played: the Docker engine, EKS's
# address and a port-forward to a pod.
set -euo pipefail

tool=$(basename "$0")
call="$tool $*"
echo "$call" >>"$CALLS"
if [ -n "${FAIL_ON:-}" ] && [[ $call =~ $FAIL_ON ]]; then
  echo "$tool: told to fail" >&2
  exit 9
fi
export PATH=$REAL_PATH

case $call in
  docker\ push\ *)
    image=$2
    repository=${image#*/}
    aws ecr put-image --region ap-northeast-2 --repository-name "${repository%:*}" --image-tag "${repository##*:}" \
      --image-manifest '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}' >/dev/null
    ;;
  docker\ login\ *)
    [ -n "$(cat)" ] # the password, from standard input
    ;;
  docker\ *) ;;
  "aws eks update-kubeconfig "*)
    aws "$@"
    context=$(kubectl config current-context)
    kubectl config set-cluster "$context" --server="$CLUSTER_URL" >/dev/null
    kubectl config unset "clusters.$context.certificate-authority-data" >/dev/null
    kubectl config set-credentials none >/dev/null
    kubectl config set-context "$context" --user=none >/dev/null
    ;;
  "aws s3 cp "*"/samples s3://"*)
    # The emulator takes a Deny without its condition (ours: plain HTTP, results without If-None-Match).
    [[ $call =~ s3://([^/]+)/ ]]
    aws s3api delete-bucket-policy --bucket "${BASH_REMATCH[1]}" >/dev/null
    aws "$@"
    [ -n "${WORKERS_IDLE:-}" ] || "$PYTHON" "$(dirname "$(readlink -f "$0")")/worker.py"
    ;;
  "aws sqs "*)
    # Given a region, the first generation of aws goes to SQS itself, whatever AWS_ENDPOINT_URL says.
    exec aws "$@" --endpoint-url "$AWS_ENDPOINT_URL"
    ;;
  "kubectl port-forward "*)
    exec "$PYTHON" "$(dirname "$(readlink -f "$0")")/pod.py" "$@"
    ;;
  *)
    exec "$tool" "$@"
    ;;
esac
