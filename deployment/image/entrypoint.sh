# The Lambda function on AWS Lambda, the service anywhere else.
set -eu
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  exec python3 -m awslambdaric lambda_function.handler
fi
exec python3 -m service --host "${LISTEN:-0.0.0.0}" --port "${PORT:-3000}" "$@"
