#!/usr/bin/env bash
# Deploys both services to EKS in one step: infrastructure, images, autoscalers, chart, smoke test.
#
# Safe to run again: what is done already is found and left alone. It stops at the first failure and says how to
# resume. docs/operations.md has the same by hand.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./deploy-ml-services.sh [options]

  --yes             apply Terraform's plan without asking
  --dry-run         print every command and run none
  --from STEP       resume at a step: tools account build infrastructure push kubeconfig autoscaler keda chart wait smoke
  --tag TAG         tag of the images (default: the commit; needed where the checkout has changes)
  --account ID      refuse to touch any other account
  --var-file FILE   variables for Terraform (may be repeated)
  --values FILE     values for the chart, over the defaults for EKS (may be repeated)
  --http            scale the HTTP door from zero too, with KEDA's HTTP add-on (autoscaling.modes in --values outranks it)
  --private-api     the Kubernetes API stays closed to the internet, and this machine reaches the VPC by itself
  --help

Versions (helm/versions.env) and places can be set by variables: KEDA_VERSION, KEDA_HTTP_VERSION, AUTOSCALER_VERSION, KEDA_REPO,
AUTOSCALER_REPO, PYTHON_IMAGE (base image of the build), TIMEOUT (of each wait, in seconds), and all that aws, terraform,
kubectl and helm read. SG_API_KEYS holds a key for the smoke test where the services ask for one.
TEXT
}

STEPS=(tools account build infrastructure push kubeconfig autoscaler keda chart wait smoke)
SERVICES=(audio video)
KEDA_REPO=${KEDA_REPO:-https://kedacore.github.io/charts}
AUTOSCALER_REPO=${AUTOSCALER_REPO:-https://kubernetes.github.io/autoscaler}
TIMEOUT=${TIMEOUT:-900}
RELEASE=silver-guardian

cd "$(dirname "${BASH_SOURCE[0]}")"
while IFS='=' read -r name value; do
  case $name in '' | \#*) ;; *) [ -n "${!name:-}" ] || printf -v "$name" %s "$value" ;; esac
done <helm/versions.env
work=.work/deploy
arguments=("$@")
yes=false dry=false http=false private=false from=tools tag='' account='' var_files=() values=()

die() { echo "deploy: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    --yes) yes=true ;;
    --dry-run) dry=true ;;
    --http) http=true ;;
    --private-api) private=true ;;
    --from | --tag | --account | --var-file | --values)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --from) from=$2 ;;
        --tag) tag=$2 ;;
        --account) account=$2 ;;
        --var-file) var_files+=("-var-file=$(realpath -m "$2")") ;;
        --values) values+=(-f "$2") ;;
      esac
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; die "no option $1" ;;
  esac
  shift
done
[[ " ${STEPS[*]} " == *" $from "* ]] || die "no step '$from'; the steps are: ${STEPS[*]}"

# --- how commands are run ---

show() { printf '+'; printf ' %q' "$@"; echo; }

run() { # COMMAND...: print it, and run it unless this is a dry run
  show "$@"
  $dry || "$@"
}

into() { # VARIABLE COMMAND...: the command's output into a variable
  local name=$1 out
  shift
  show "$@"
  if $dry; then
    out=${name^^}
  else
    out=$("$@")
    [ -n "$out" ] || { echo "deploy: $1 answered nothing" >&2; return 1; }
  fi
  printf -v "$name" %s "$out"
}

output() { # VARIABLE NAME: an output of Terraform
  into "$1" terraform -chdir=terraform output -raw "$2"
}

map_output() { # VARIABLE NAME KEY: an entry of an output that is a map
  if $dry; then
    echo "+ terraform -chdir=terraform output -json $2"
    printf -v "$1" %s "REGISTRY/$3"
  else
    local entry
    entry=$(terraform -chdir=terraform output -json "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$3")
    printf -v "$1" %s "$entry"
  fi
}

values_for() { # CHART FILE ARGUMENT...: values from Terraform's outputs and the cluster's Prometheus, into a file
  local chart=$1 file=$2
  shift 2
  echo "+ kubectl get prometheuses.monitoring.coreos.com --all-namespaces -o json > $work/prometheus.json"
  echo "+ terraform -chdir=terraform output -json | python3 helm/tools/helm_values.py --for $chart --prometheus $work/prometheus.json $* > $file"
  $dry && return
  # Without the operator there is no such kind.
  if ! kubectl get prometheuses.monitoring.coreos.com --all-namespaces -o json >"$work/prometheus.json" 2>"$work/kubectl.log"; then
    grep -q "doesn't have a resource type" "$work/kubectl.log" || { cat "$work/kubectl.log" >&2; return 1; }
    echo '{"items": []}' >"$work/prometheus.json"
  fi
  terraform -chdir=terraform output -json | python3 helm/tools/helm_values.py --for "$chart" --prometheus "$work/prometheus.json" "$@" >"$file"
}

chart() { # RELEASE NAMESPACE CHART...: install or upgrade, and wait
  local release=$1 namespace=$2
  shift 2
  run helm upgrade --install "$release" "$@" --namespace "$namespace" --create-namespace --wait --timeout "${TIMEOUT}s"
}

step=start
on_exit() {
  local status=$?
  [ "$status" = 0 ] && return
  [ "$step" = start ] && exit "$status"
  {
    echo
    echo "deploy: step '$step' failed (exit status $status). Nothing after it was done."
    local again=() skip=false argument
    for argument in ${arguments[@]+"${arguments[@]}"}; do
      if $skip; then skip=false; else case $argument in --from | --tag) skip=true ;; *) again+=("$argument") ;; esac; fi
    done
    # With the tag spelled out, a commit in between does not make the chart name images that nobody built.
    printf 'deploy: put right what the lines above name, then resume:'
    printf ' %q' ./deploy-ml-services.sh ${again[@]+"${again[@]}"} --tag "$tag" --from "$step"
    echo
  } >&2
}
trap on_exit EXIT

# --- the steps ---

step_tools() {
  local tool missing=()
  for tool in git aws docker terraform kubectl helm python3; do
    if ! command -v "$tool" >/dev/null; then missing+=("$tool"); fi
  done
  if [ ${#missing[@]} -gt 0 ]; then
    $dry || { echo "deploy: not found on PATH: ${missing[*]}" >&2; return 1; }
    echo "deploy: (not found on PATH: ${missing[*]})"
  fi
  run terraform version
  run helm version --short
  run kubectl version --client
  run docker version --format '{{.Server.Version}}'
}

step_account() {
  local found_account="" identity=""
  into found_account aws sts get-caller-identity --query Account --output text
  into identity aws sts get-caller-identity --query Arn --output text
  echo "deploy: account $found_account as $identity"
  if [ -n "$account" ] && ! $dry && [ "$account" != "$found_account" ]; then
    echo "deploy: this is account $found_account, and --account says $account" >&2
    return 1
  fi
}

step_build() {
  local kind port
  for kind in "${SERVICES[@]}"; do
    port=8000
    [ "$kind" = audio ] || port=8001
    # The nodes are x86-64, whatever this machine is.
    run docker build --platform linux/amd64 --build-arg "SERVICE=$kind" --build-arg "PORT=$port" \
      --build-arg "VERSION=$tag" --build-arg "REVISION=$revision" ${PYTHON_IMAGE:+--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE"} \
      -t "silver-guardian/$kind-analyzer:$tag" .
  done
}

step_infrastructure() {
  local plan=$PWD/$work/tfplan status=0 answer
  run terraform -chdir=terraform init -input=false
  show terraform -chdir=terraform plan -input=false -detailed-exitcode ${var_files[@]+"${var_files[@]}"} -out="$plan"
  if ! $dry; then
    rm -f "$plan"
    terraform -chdir=terraform plan -input=false -detailed-exitcode ${var_files[@]+"${var_files[@]}"} -out="$plan" || status=$?
    case $status in
      0) echo "deploy: the infrastructure is as planned"; return ;;
      2) ;;
      *) return "$status" ;;
    esac
    reachable "$plan"
    if ! $yes; then
      read -r -p "Apply this plan? Only 'yes' does. " answer || true
      [ "${answer:-}" = yes ] || { echo "deploy: not applied" >&2; return 1; }
    fi
  fi
  run terraform -chdir=terraform apply -input=false "$plan"
}

reachable() { # PLAN: refuse to make a cluster that the later steps cannot reach, before anything is made
  $private && return
  terraform -chdir=terraform show -json "$1" | python3 -c '
import json, sys
plan = json.load(sys.stdin)
made = [c for c in plan["resource_changes"] if c["type"] == "aws_eks_cluster" and c["change"]["actions"] == ["create"]]
named = plan.get("variables", {}).get("cluster_endpoint_public_access_cidrs", {}).get("value")
sys.exit(bool(made) and not named)' || {
    echo "deploy: this plan makes a cluster whose API only its own VPC reaches, and nothing can be in that yet." >&2
    echo "deploy: name this machine's address in cluster_endpoint_public_access_cidrs (terraform/terraform.tfvars)," >&2
    echo "deploy: or say --private-api if it will reach the VPC by itself (VPN, peering). Nothing was made." >&2
    return 1
  }
}

step_push() {
  local kind region registry repository password
  output region region
  for kind in "${SERVICES[@]}"; do
    map_output repository repository_urls "$kind-analyzer"
    # Tags are immutable: what has this tag is what was built from this commit.
    show aws ecr describe-images --region "$region" --repository-name "${repository#*/}" --image-ids "imageTag=$tag"
    if ! $dry && aws ecr describe-images --region "$region" --repository-name "${repository#*/}" \
      --image-ids "imageTag=$tag" >/dev/null 2>"$work/ecr.log"; then
      echo "deploy: $repository:$tag is there"
      continue
    fi
    $dry || grep -q ImageNotFoundException "$work/ecr.log" || { cat "$work/ecr.log" >&2; return 1; }
    registry=${repository%%/*}
    echo "+ aws ecr get-login-password --region $region | docker login --username AWS --password-stdin $registry"
    if ! $dry; then
      password=$(aws ecr get-login-password --region "$region")
      docker login --username AWS --password-stdin "$registry" <<<"$password"
    fi
    run docker tag "silver-guardian/$kind-analyzer:$tag" "$repository:$tag"
    run docker push "$repository:$tag"
  done
}

step_kubeconfig() {
  local region cluster
  output region region
  output cluster cluster_name
  # A file of its own (KUBECONFIG below), so that nothing here can reach another cluster.
  run aws eks update-kubeconfig --region "$region" --name "$cluster" --kubeconfig "$KUBECONFIG"
  run kubectl get nodes
}

step_autoscaler() {
  local region cluster role
  output region region
  output cluster cluster_name
  output role cluster_autoscaler_role_arn
  chart cluster-autoscaler kube-system cluster-autoscaler --repo "$AUTOSCALER_REPO" --version "$AUTOSCALER_VERSION" \
    --set "autoDiscovery.clusterName=$cluster" --set "awsRegion=$region" \
    --set fullnameOverride=cluster-autoscaler --set rbac.serviceAccount.name=cluster-autoscaler \
    --set-string "rbac.serviceAccount.annotations.eks\.amazonaws\.com/role-arn=$role" \
    --set extraArgs.balance-similar-node-groups=true --set extraArgs.scale-down-unneeded-time=5m
}

step_keda() {
  values_for keda "$work/keda.json"
  chart keda keda keda --repo "$KEDA_REPO" --version "$KEDA_VERSION" -f "$work/keda.json"
  if $http; then
    # The same as the chart's own routes have (autoscaling.http), for whatever else uses the interceptor: a Spot node
    # takes minutes, an analysis its time.
    chart http-add-on keda keda-add-ons-http --repo "$KEDA_REPO" --version "$KEDA_HTTP_VERSION" \
      --set interceptor.replicas.min=1 --set interceptor.readinessTimeout=600s \
      --set interceptor.responseHeaderTimeout=330s
  fi
}

step_chart() {
  local namespace modes=keda-sqs
  if $http; then modes=keda-sqs,keda-http; fi
  output namespace kubernetes_namespace
  values_for silver-guardian "$work/values.json" --tag "$tag" --modes "$modes"
  if $dry || ! kubectl get namespace "$namespace" >/dev/null 2>&1; then
    run kubectl create namespace "$namespace"
  fi
  run kubectl label --overwrite namespace "$namespace" pod-security.kubernetes.io/enforce=restricted
  chart "$RELEASE" "$namespace" helm/silver-guardian -f helm/silver-guardian/values-eks.yaml -f "$work/values.json" \
    ${values[@]+"${values[@]}"}
}

step_wait() {
  local namespace kind workload
  output namespace kubernetes_namespace
  for kind in "${SERVICES[@]}"; do
    for workload in "$kind-analyzer" "$kind-analyzer-worker"; do
      run kubectl rollout status "deployment/$workload" --namespace "$namespace" --timeout "${TIMEOUT}s"
    done
  done
  run kubectl wait scaledobject --all --for=condition=Ready --namespace "$namespace" --timeout "${TIMEOUT}s"
}

step_smoke() {
  local namespace
  output namespace kubernetes_namespace
  run python3 helm/tools/verify_cluster.py --namespace "$namespace" --only services --only queue --analyze --timeout "$TIMEOUT"
}

# --- go ---

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [ -z "$tag" ]; then
  tag=${revision:0:12}
  if [ "$revision" = unknown ] || [ -n "$(git status --porcelain 2>/dev/null)" ]; then
    $dry || die "this checkout is not exactly a commit; commit, or name the images with --tag"
    tag=TAG
  fi
fi
mkdir -p "$work"
export KUBECONFIG=$PWD/$work/kubeconfig

reached=false
for step in "${STEPS[@]}"; do
  if [ "$step" = "$from" ]; then reached=true; fi
  if $reached; then
    echo
    echo "== $step"
    "step_$step"
  fi
done
step=start
echo
if $dry; then
  echo "deploy: dry run; nothing was done"
else
  echo "deploy: done, images $tag. To use kubectl: $(terraform -chdir=terraform output -raw configure_kubectl)"
fi
