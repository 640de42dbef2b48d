"use strict";
// The validator is a server of Swagger's makers.
SwaggerUIBundle({ url: "docs.json", dom_id: "#swagger-ui", validatorUrl: null });
