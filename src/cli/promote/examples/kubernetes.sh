#!/bin/sh
# Sets the image of a Kubernetes deployment to the one that is to be live, on approval and on rollback, and waits until it
# runs.
#
#   [promote.prod]
#   artifact    = true                       # --artifact sha256:<the digest of the image>
#   on_approve  = { run = ["./kubernetes.sh"], timeout = "15m" }
#   on_rollback = { run = ["./kubernetes.sh"], timeout = "15m" }
#
# Needs kubectl with a context, and in the environment:
#   IMAGE        the image without tag and digest, such as registry.example/support
#   DEPLOYMENT   the deployment; the name of the agent unless it is set
#   CONTAINER    its container; the name of the deployment unless it is set
#   NAMESPACE    the namespace; the name of the target unless it is set
set -eu

: "${IMAGE:?the image without tag and digest}"
: "${SEATRIAL_PROMOTE_ARTIFACT:?promote with --artifact sha256:<the digest of the image>}"
deployment=${DEPLOYMENT:-$SEATRIAL_PROMOTE_AGENT}
container=${CONTAINER:-$deployment}
namespace=${NAMESPACE:-$SEATRIAL_PROMOTE_TARGET}

kubectl --namespace "$namespace" set image "deployment/$deployment" "$container=$IMAGE@$SEATRIAL_PROMOTE_ARTIFACT"
kubectl --namespace "$namespace" annotate --overwrite "deployment/$deployment" \
    "seatrial/version=$SEATRIAL_PROMOTE_VERSION" "seatrial/promotion=$SEATRIAL_PROMOTE_PROMOTION"
kubectl --namespace "$namespace" rollout status "deployment/$deployment" --timeout "${ROLLOUT_TIMEOUT:-10m}"
