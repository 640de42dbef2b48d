# One image, two doors: on AWS Lambda the function, anywhere else the service.
set -eu
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  exec python3 -m awslambdaric lambda_function.handler
fi
exec python3 -m serving.http.launch --host "${LISTEN:-0.0.0.0}" --port "${PORT:-3000}" "$@"
