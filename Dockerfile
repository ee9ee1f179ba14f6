# The container: supervisord and its consumer processes. `scripts/image` builds it; examples/Dockerfile adds a handler.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# Wheels only: nothing is compiled here and no foreign setup script runs. The secret is a certificate authority for
# builds behind a proxy that has its own (`--secret id=ca,src=FILE`); without one the file is simply not there.
COPY requirements.txt requirements/build.txt ./
RUN --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    if [ -s /run/secrets/ca.pem ]; then export PIP_CERT=/run/secrets/ca.pem; fi; \
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore; \
    pip install --quiet --only-binary=:all: --require-hashes --prefix=/install -r requirements.txt \
 && pip install --quiet --only-binary=:all: --require-hashes -r build.txt
# The package comes last: a change in it leaves the layer of the dependencies alone. It is built without a sandbox of
# pip's own, which would fetch a builder of any version.
COPY pyproject.toml README.md LICENSE supervisord.conf ./
COPY ecs/template.yaml ecs/
COPY consumer consumer
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir . . \
 && pip install --quiet --no-deps --no-index --prefix=/package --root-user-action=ignore ./*.whl

FROM ${BASE_IMAGE}
# Two arenas instead of eight per core: a process with a few threads holds far less memory that it does not use.
# The last three are what supervisord.conf asks of its environment, so that bare `supervisord` works in here too;
# `consumer up` puts the resolved settings in their place.
ENV MALLOC_ARENA_MAX=2 \
    CONSUMER_PROCESSES=4 \
    CONSUMER_STOP_WAIT_SECONDS=105 \
    CONSUMER_RUN_DIR=/run/consumer
# The standard library is compiled now: the base image comes without its .pyc files, and neither a read-only root nor
# another user than root can keep them, so that every start would compile it again. (pip has compiled what it installed.)
# The run directory is open to any user, as in `docker run --user`, with the mode of /tmp, which keeps one user from
# removing another's files; a bare --tmpfs and an anonymous volume take that mode over.
# /usr/tmp is where Python looks last for a folder for temporary files, which supervisord wants: so a read-only root
# without a /tmp that can be written to still has one.
# pip stays: it lies in the base image's layers anyway, and images made FROM this one install their dependencies with it.
RUN python -m compileall -q -j 0 -x /site-packages/ "$(python -c 'import os; print(os.path.dirname(os.__file__))')" \
 && groupadd --gid 10001 consumer \
 && useradd --uid 10001 --gid consumer --home-dir /app --no-create-home --shell /usr/sbin/nologin consumer \
 && install -d -m 1777 /run/consumer \
 && ln -s /run/consumer /usr/tmp
COPY --from=build /install /usr/local
COPY --from=build /package /usr/local
COPY supervisord.conf /etc/supervisord.conf
WORKDIR /app
VOLUME /run/consumer
# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 10001:10001
STOPSIGNAL SIGTERM
# ECS ignores this and has its own health check in the task definition, with the same command.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["consumer", "health"]
# Words after the image's name are a command of ours: `docker run IMAGE settings`. Exec form: PID 1 gets SIGTERM.
ENTRYPOINT ["consumer"]
CMD ["up"]
