# The gateway in a container: settings, keys and data in /var/lib/gateway, partners at port 7443, own systems at 7444;
# or, with the command `console --config /var/lib/gateway/console.toml`, the web pages at 8444.
#   docker build --tag customs-gateway .
# docker-compose.yml shows three of them.

# The digest makes two builds begin alike; the tag says what it is (3.13.15 on Debian trixie). Renew both together. For an
# image of your own registry: --build-arg PYTHON_IMAGE=…
# Why 3.13: docs/adr/0043-what-makes-a-node-fast.md.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Everything with its hash, generators of code included; none of it but the wheel leaves this stage.
COPY requirements.lock ./
RUN python -m venv /build && /build/bin/pip install --require-hashes --requirement requirements.lock
COPY requirements-runtime.lock ./
RUN python -m venv --without-pip /opt/gateway && /build/bin/pip --python /opt/gateway/bin/python install \
    --no-compile --require-hashes --requirement requirements-runtime.lock
COPY pyproject.toml hatch_build.py README.md ./
COPY protos protos
COPY third_party third_party
COPY gateway gateway
RUN PATH=/build/bin:$PATH pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/gateway/bin/python install --no-deps --no-index --no-compile /wheels/*.whl \
    && /opt/gateway/bin/python -m compileall -q /opt/gateway/lib

FROM ${PYTHON_IMAGE} AS runtime
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/gateway --shell /usr/sbin/nologin gateway \
    && install --directory --owner gateway --group gateway --mode 700 /var/lib/gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_CONFIG=/var/lib/gateway/gateway.toml
USER 10001:10001
WORKDIR /var/lib/gateway

# For a trial: writes the keys of all three parties, so it is apart from what a party runs.
FROM runtime AS federation
USER root
RUN install --directory --owner gateway --group gateway /federation /passwords /consoles \
    && install --directory --owner gateway --group gateway --mode 700 \
        /federation/cn /federation/hk /federation/mo /passwords/cn /passwords/hk /passwords/mo \
        /consoles/cn /consoles/hk /consoles/mo
COPY deploy/compose/make-federation /usr/local/bin/make-federation
USER 10001:10001
ENTRYPOINT ["make-federation"]

FROM runtime AS gateway
VOLUME /var/lib/gateway
EXPOSE 7443 7444 8444
# A call through the front door: TLS, certificate, role, database. It speaks as the system `ops`, a certificate in
# pki/systems with the role operator; name another one with GATEWAY_SYSTEM.
ENV GATEWAY_SYSTEM=ops
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s --retries=3 CMD ["gateway", "status", "--json"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve"]
