# Three images: `quittance`, the one program that is every service (`docker build -t quittance .`), `broker`, the
# official NATS with our configuration, and `gateway`, the official nginx with ours. compose.yaml builds and runs them.
#
# Bases are named by version and pinned by digest (`docker buildx imagetools inspect NAME`); Dependabot proposes newer
# ones. The broker's is 2.15.0: of 2.15.1, which everything is tested with, no image was found.

FROM rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0 AS build
WORKDIR /source
# The committed .sqlx stands in for a database. Without line tables the program is a quarter of the size; a panic still
# says where it was.
ENV SQLX_OFFLINE=true \
    CARGO_PROFILE_RELEASE_DEBUG=false
COPY Cargo.toml Cargo.lock ./
COPY common common
COPY client client
COPY auth auth
COPY ledger ledger
COPY payments payments
COPY console console
COPY local local
COPY nats nats
COPY gateway gateway
COPY bench bench
COPY cli cli
COPY ops/runbooks ops/runbooks
# Crates and what was compiled of them stay in the builder's cache: the next build compiles what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package cli \
    && install -D target/release/quittance /image/usr/bin/quittance \
    && target/release/quittance static /static
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# What the program is linked to comes along, and nothing else: no shell, no package manager, no other program.
RUN ldd /image/usr/bin/quittance | grep -o '/[^ ]*' \
    | while read -r library; do install -D "$library" "/image$library"; done
RUN install -d -m 0700 /media


FROM nats:2.15.0-alpine@sha256:ac8f88a6494bffc2c2a5289a0ca61cb28a9145c11ba5677cf24265d07f46d8d4 AS broker
RUN install -d -m 0700 -o 65532 -g 65532 /data
COPY --chmod=0444 nats/nats-server.conf nats/producers.conf nats/direct.conf nats/start.sh /etc/quittance/
USER 65532:65532
EXPOSE 4222
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8222/healthz"]
ENTRYPOINT ["/bin/sh", "/etc/quittance/start.sh"]


FROM nginx:1.31.3-alpine@sha256:4a73073bd557c65b759505da037898b61f1be6cbcc3c2c3aeac22d2a470c1752 AS gateway
COPY --chmod=0444 gateway/nginx.conf gateway/places.conf gateway/listen.conf gateway/names.conf gateway/tls.conf \
    gateway/headers.conf gateway/problems.conf gateway/errors.conf gateway/stream.conf gateway/large.conf \
    gateway/types.conf gateway/start.sh /etc/quittance/
# The files that the pages of the console need, of the same version.
COPY --from=build /static/ /srv/static/
USER 65532:65532
EXPOSE 8080
# It answers the requests that it has, and then ends.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health/live"]
ENTRYPOINT ["/bin/sh", "/etc/quittance/start.sh"]


FROM scratch AS quittance
COPY --from=build /image/ /
# A volume that is put there begins as this: the ledger's own.
COPY --from=build --chown=65532:65532 /media/ /srv/media/
LABEL org.opencontainers.image.title="quittance" \
      org.opencontainers.image.description="A payment ledger: every payment request gets one answer, booked double-entry" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="The Quittance authors"
# A number, so that an orchestrator can see that it is not root. It owns nothing here.
USER 65532:65532
# auth, ledger, payments: a container runs one, `serve <service>`, and listens where QUITTANCE_LISTEN says.
EXPOSE 8081 8082 8083 8084
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/bin/quittance", "health"]
ENTRYPOINT ["/usr/bin/quittance"]
CMD ["--help"]
