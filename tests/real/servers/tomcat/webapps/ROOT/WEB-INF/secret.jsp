<%@ include file="serve.jspf" %><% serve("secret", request, response, out); %>
