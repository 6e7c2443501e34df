#!/bin/sh
# Moves an endpoint of Amazon Bedrock AgentCore Runtime to the version that is to be live, on approval and on rollback.
#
#   [promote.prod]
#   on_approve  = { run = ["./agentcore.sh"], timeout = "10m" }
#   on_rollback = { run = ["./agentcore.sh"], timeout = "10m" }
#
# Needs the AWS CLI 2, and in the environment:
#   AGENT_RUNTIME_ID   the id of the agent runtime
#   ENDPOINT_NAME      the endpoint; the name of the target unless it is set
# The version of seatrial (AGENT@VERSION) is the version of the runtime here, such as `support@7`.
set -eu

: "${AGENT_RUNTIME_ID:?the id of the agent runtime}"
endpoint=${ENDPOINT_NAME:-$SEATRIAL_PROMOTE_TARGET}

aws bedrock-agentcore-control update-agent-runtime-endpoint \
    --agent-runtime-id "$AGENT_RUNTIME_ID" \
    --endpoint-name "$endpoint" \
    --agent-runtime-version "$SEATRIAL_PROMOTE_VERSION" \
    --description "seatrial $SEATRIAL_PROMOTE_PROMOTION $SEATRIAL_PROMOTE_OCCASION" >/dev/null

# The endpoint is moved in the background: wait until it serves the version, so that a failure is one of the hook.
tries=0
while [ "$tries" -lt "${TRIES:-60}" ]; do
    state=$(aws bedrock-agentcore-control get-agent-runtime-endpoint \
        --agent-runtime-id "$AGENT_RUNTIME_ID" --endpoint-name "$endpoint" \
        --query '[status, liveVersion]' --output text)
    # Two words: the status, and the version that is live.
    # shellcheck disable=SC2086
    set -- $state
    case "$1" in
    READY)
        if [ "${2:-}" = "$SEATRIAL_PROMOTE_VERSION" ]; then
            echo "endpoint $endpoint serves version $SEATRIAL_PROMOTE_VERSION"
            exit 0
        fi
        ;;
    *FAILED)
        echo "endpoint $endpoint is $1" >&2
        exit 1
        ;;
    esac
    tries=$((tries + 1))
    sleep "${PAUSE:-5}"
done
echo "endpoint $endpoint does not serve version $SEATRIAL_PROMOTE_VERSION yet" >&2
exit 1
