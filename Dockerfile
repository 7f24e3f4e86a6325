# Both services' images from one file:
#   docker build --build-arg SERVICE=audio --build-arg PORT=8000 -t silver-guardian/audio-analyzer:local .
#
# The base is pinned by tag and digest; where no registry is reached, a local image stands in for it with
# --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
# strip, for slim.py.
# hadolint ignore=DL3008
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends binutils >/dev/null && rm -rf /var/lib/apt/lists/*
COPY requirements/services.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /app/venv \
 && python -m venv tools \
 && tools/bin/python -m pip install --no-cache-dir -q --require-hashes -r requirements/build.txt \
 && tools/bin/python -m pip --python /app/venv/bin/python install --no-cache-dir -q \
      --only-binary :all: --require-hashes -r requirements/services.txt
# Both images share what is above: it is built once.
ARG SERVICE
COPY libs/common libs/common
COPY services/${SERVICE}_analyzer services/${SERVICE}_analyzer
RUN tools/bin/python -m pip wheel --no-cache-dir -q --no-deps --no-build-isolation -w wheels \
      ./libs/common "./services/${SERVICE}_analyzer" \
 && tools/bin/python -m pip --python /app/venv/bin/python install --no-cache-dir -q --no-deps wheels/*.whl
COPY docker/slim.py ./
COPY models models
RUN python slim.py /app/venv \
 && case "${SERVICE}" in audio) set -- audio voice_activity ;; video) set -- video face_detector ;; esac \
 && mkdir /app/models && for bundle in "$@"; do cp -r "models/$bundle" /app/models/; done \
 && printf '#!/bin/sh\nexec python -m %s_analyzer "$@"\n' "${SERVICE}" >/app/analyzer \
 && chmod 0755 /app/analyzer

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG PORT=8000
ARG VERSION=local
ARG REVISION=unknown
LABEL org.opencontainers.image.title="silver-guardian ${SERVICE}-analyzer" \
      org.opencontainers.image.description="Judges media for deepfakes on plain CPUs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /app /app
RUN install -d -o 10001 -g 10001 -m 0700 /work
ENV PATH=/app/venv/bin:$PATH \
    HOME=/work \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SG_HOST=0.0.0.0 \
    SG_PORT=${PORT} \
    SG_MODELS_ROOT=/app/models \
    SG_WORK_DIR=/work
# Work files need a disk: memory is too small for a long WAV, and the root file system may be read-only.
VOLUME /work
WORKDIR /work
USER 10001:10001
EXPOSE ${PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "sg_common.probe"]
ENTRYPOINT ["/app/analyzer"]
CMD ["serve"]
