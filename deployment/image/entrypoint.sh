# The Lambda function on AWS Lambda, the worker where QUEUE_URL names a queue, the service anywhere else.
set -eu
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  exec python3 -m awslambdaric lambda_function.handler
fi
if [ -n "${QUEUE_URL:-}" ]; then
  program=serving.worker
else
  program=service
fi
exec python3 -m "$program" --host "${LISTEN:-0.0.0.0}" --port "${PORT:-3000}" "$@"
