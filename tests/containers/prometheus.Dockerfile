# Debian's Prometheus under the name that docker-compose.yml gives, where there is no container registry.
ARG BASE=docker.io/library/python:3.13-slim
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus \
    && install --directory --owner 65534 --group 65534 /prometheus
USER 65534:65534
ENTRYPOINT ["prometheus"]
