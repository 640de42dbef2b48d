resource "aws_apigatewayv2_api" "this" {
  name          = "${var.deployment_name}-api"
  description   = "POST /predict of ${local.function_name}"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "live" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.authorizer == "JWT" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this.id
  name             = "${var.deployment_name}-jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audience
  }
}

resource "aws_apigatewayv2_route" "predict" {
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "POST /predict"
  target             = "integrations/${aws_apigatewayv2_integration.live.id}"
  authorization_type = var.authorizer
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)

  lifecycle {
    precondition {
      condition     = var.authorizer != "JWT" || (var.jwt_issuer != "" && length(var.jwt_audience) > 0)
      error_message = "authorizer JWT needs jwt_issuer and at least one jwt_audience."
    }
  }
}

# A browser opens a page without credentials. The page holds no data, and what it asks /predict for is authorized as ever.
resource "aws_apigatewayv2_route" "page" {
  #checkov:skip=CKV_AWS_309: the page is the same for everybody; only its requests to /predict need a token or a key
  count = var.page ? 1 : 0

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "GET /"
  target             = "integrations/${aws_apigatewayv2_integration.live.id}"
  authorization_type = "NONE"

  lifecycle {
    precondition {
      condition     = !var.page || var.authorizer != "AWS_IAM"
      error_message = "page needs authorizer JWT or NONE: a browser cannot sign requests as AWS_IAM asks for."
    }
  }
}

# The length of CloudWatch Logs' resource policy is limited; APIs whose names begin with /aws/vendedlogs/ share one entry.
resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_338: log_retention_days keeps logs longer; the default does not keep the names of pictures for a year
  name              = "/aws/vendedlogs/apigateway/${var.deployment_name}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttling_rate_limit
    throttling_burst_limit = var.throttling_burst_limit
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      time                = "$context.requestTime"
      request_id          = "$context.requestId"
      source_ip           = "$context.identity.sourceIp"
      user_agent          = "$context.identity.userAgent"
      route               = "$context.routeKey"
      protocol            = "$context.protocol"
      status              = "$context.status"
      response_bytes      = "$context.responseLength"
      response_ms         = "$context.responseLatency"
      integration_status  = "$context.integrationStatus"
      integration_ms      = "$context.integrationLatency"
      integration_message = "$context.integrationErrorMessage"
      error               = "$context.error.message"
    })
  }

  # A stage without its route would serve nothing for a moment.
  depends_on = [aws_apigatewayv2_route.predict]
}

resource "aws_lambda_permission" "api" {
  statement_id  = "AllowHttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/POST/predict"
}

resource "aws_lambda_permission" "page" {
  count = var.page ? 1 : 0

  statement_id  = "AllowHttpApiPage"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/GET/"
}
