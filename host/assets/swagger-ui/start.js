// Shows what is loaded now. Nothing is asked of other servers: the validator is theirs.
SwaggerUIBundle({
  dom_id: "#page",
  url: "/openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: "none",
});
