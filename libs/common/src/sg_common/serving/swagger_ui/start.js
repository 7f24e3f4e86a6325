// A file of its own: the page's policy allows no script within it.
"use strict";
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({ url: place.dataset.description, domNode: place, deepLinking: true, validatorUrl: null });
