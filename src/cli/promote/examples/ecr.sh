#!/bin/sh
# Moves a tag in Amazon ECR to the image that is to be live, on approval and on rollback, without pulling it.
#
#   [promote.prod]
#   artifact    = true                       # --artifact sha256:<the digest of the image>
#   on_approve  = { run = ["./ecr.sh"] }
#   on_rollback = { run = ["./ecr.sh"] }
#
# Needs the AWS CLI 2, and in the environment:
#   REPOSITORY   the repository; the name of the agent unless it is set
#   TAG          the tag; the name of the target unless it is set
# With crane instead: crane tag "$REGISTRY/$REPOSITORY@$SEATRIAL_PROMOTE_ARTIFACT" "$TAG"
set -eu

: "${SEATRIAL_PROMOTE_ARTIFACT:?promote with --artifact sha256:<the digest of the image>}"
repository=${REPOSITORY:-$SEATRIAL_PROMOTE_AGENT}
tag=${TAG:-$SEATRIAL_PROMOTE_TARGET}

# The image that has the tag already needs none.
tagged=$(aws ecr describe-images --repository-name "$repository" --image-ids "imageTag=$tag" \
    --query 'imageDetails[0].imageDigest' --output text 2>/dev/null || true)
if [ "$tagged" = "$SEATRIAL_PROMOTE_ARTIFACT" ]; then
    echo "$repository:$tag is $SEATRIAL_PROMOTE_ARTIFACT already"
    exit 0
fi

image() {
    aws ecr batch-get-image --repository-name "$repository" \
        --image-ids "imageDigest=$SEATRIAL_PROMOTE_ARTIFACT" \
        --accepted-media-types application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.index.v1+json \
        application/vnd.docker.distribution.manifest.v2+json \
        application/vnd.docker.distribution.manifest.list.v2+json \
        --query "images[0].$1" --output text
}
manifest=$(image imageManifest)
if [ -z "$manifest" ] || [ "$manifest" = None ]; then
    echo "there is no image $SEATRIAL_PROMOTE_ARTIFACT in $repository" >&2
    exit 1
fi

aws ecr put-image --repository-name "$repository" --image-tag "$tag" \
    --image-manifest "$manifest" --image-manifest-media-type "$(image imageManifestMediaType)" \
    --image-digest "$SEATRIAL_PROMOTE_ARTIFACT" >/dev/null
echo "$repository:$tag is $SEATRIAL_PROMOTE_ARTIFACT"
