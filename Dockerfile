# One image for all services: docker run luot ingest | aggregator | api

# deploy/pin-images gives it by its digest.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
# They compile the fold in C, and stay behind.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
# pip stays in a folder of its own, so the environment that ships has none.
RUN python -m venv /pip && python -m venv --without-pip /opt/luot
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# standalone.lock has the embedded engine, too, in which backups are restored on trial.
ARG LOCK=service.lock
COPY requirements/service.lock requirements/standalone.lock requirements/
RUN /pip/bin/pip --python /opt/luot/bin/python install --require-hashes \
    --only-binary :all: -r requirements/$LOCK
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY services services
# What only builds stays behind. Where the fold in C could not be compiled, this fails.
RUN /pip/bin/pip --python /opt/luot/bin/python install --no-deps --no-build-isolation . \
    && /pip/bin/pip --python /opt/luot/bin/python uninstall --yes \
        editables hatchling pathspec pluggy trove-classifiers \
    && /pip/bin/pip --python /opt/luot/bin/python check \
    && /opt/luot/bin/python -I -c "from services.aggregator.kernel.library import load; load()"

FROM ${PYTHON_IMAGE}
# Where it comes from, and the commit, as far as who builds it knows.
ARG SOURCE=
ARG REVISION=
LABEL org.opencontainers.image.title="Luot" \
      org.opencontainers.image.description="Counts visits to web portals, exactly once" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /nonexistent luot \
    && install -d -o luot -g luot /var/lib/luot
COPY --from=build /opt/luot /opt/luot
ENV PATH=/opt/luot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LUOT_HOST=0.0.0.0 \
    XDG_STATE_HOME=/var/lib
WORKDIR /var/lib/luot
USER 1000:1000
EXPOSE 8001 8002 8003
ENTRYPOINT ["luot"]
